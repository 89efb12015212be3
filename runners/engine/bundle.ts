/** What the engine gives its host to run, and what it gets back. */
import type { Element, Window } from "./element.js";

/** Work for one stage: the host starts a bundle, runs every item in order, finishes it, and answers. */
export interface Bundle {
  readonly id: number;
  /** Id of the stage. */
  readonly stage: string;
  readonly inputs: readonly BundleInput[];
  /** Of the stage when the bundle was made. */
  readonly inputWatermarkMs: number;
  readonly processingTimeMs: number;
}

export type BundleInput =
  | { readonly kind: "elements"; readonly root: string; readonly elements: readonly Element[] }
  | { readonly kind: "keyed"; readonly root: string; readonly keys: readonly KeyedWork[] }
  | { readonly kind: "restrictions"; readonly root: string; readonly work: readonly RestrictionWork[] };

/** What is to be done for one key, in this order. */
export interface KeyedWork {
  readonly keyId: string;
  readonly key: unknown;
  readonly items: readonly KeyedItem[];
}

export type KeyedItem =
  | { readonly kind: "element"; readonly element: Element; readonly window: Window }
  | { readonly kind: "timer"; readonly timer: TimerFiring; readonly window: Window }
  /** The window's state is removed behind this; `onWindowExpiration` if the DoFn has one. */
  | { readonly kind: "expiration"; readonly window: Window };

export interface TimerFiring {
  readonly family: string;
  readonly tag: string;
  readonly domain: "event-time" | "processing-time";
  readonly fireAtMs: number;
  /** Undefined: it emits nothing. */
  readonly outputTimestampMs: number | undefined;
}

/** An element with the part of its restriction that is to be done. */
export interface RestrictionWork {
  readonly element: Element;
  /** Undefined: not begun, the host asks the DoFn for the initial one and splits it. */
  readonly restriction: { readonly value: unknown; readonly watermarkState: unknown } | undefined;
  /** The pipeline drains: do the truncated rest. */
  readonly isTruncated: boolean;
  /** It is left of a restriction that was truncated before: what there is of it is done. */
  readonly wasTruncated?: boolean;
  /** As its residual says. */
  readonly isParked?: boolean;
}

/** What came of a bundle. The engine applies all of it or, when the bundle failed, nothing. */
export interface BundleResult {
  /** By PCollection, in the order of emission; only those that others read. */
  readonly outputs: ReadonlyMap<string, readonly Element[]>;
  /** Settings in order: a later one of the same timer replaces an earlier one. */
  readonly timers: readonly TimerUpdate[];
  readonly residuals: readonly Residual[];
}

export interface TimerUpdate {
  readonly root: string;
  readonly keyId: string;
  readonly key: unknown;
  readonly window: Window;
  readonly family: string;
  readonly tag: string;
  /** Undefined: the timer is cleared. */
  readonly set:
    | {
        readonly domain: "event-time" | "processing-time";
        readonly fireAtMs: number;
        /** Holds the output watermark until the timer has fired; undefined: it holds nothing back. */
        readonly outputTimestampMs: number | undefined;
      }
    | undefined;
}

/** What is left of a restriction. */
export interface Residual {
  readonly root: string;
  readonly element: Element;
  readonly restriction: unknown;
  readonly watermarkState: unknown;
  /** Nothing will be emitted before it: a hold on the output watermark. */
  readonly watermarkMs: number;
  /** Not before this time of the processing clock; infinite: not before `Engine.resume`. */
  readonly resumeAtMs: number;
  /** There is nothing left to do: it only holds the watermark, and the host does not process it. */
  readonly isParked?: boolean;
}
