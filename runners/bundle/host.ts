/** What a bundle processor needs from whatever hosts it: the direct runner, or an SDK harness. */
import type { BundleContext, EpochTransaction, SetupContext } from "../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import type { Residual, TimerUpdate } from "../engine/bundle.js";
import type { Element, Window } from "../engine/element.js";
import type { BagCell } from "../engine/key-cells.js";
import type { ElementSamples } from "./element-samples.js";

/** A host lives as long as its processors: one run of the pipeline. */
export interface BundleHost {
  /** What the DoFn of this step gets in `setup`. */
  setupContext(step: string): SetupContext;
  /** Absent where the host has none; a graph that needs it is refused before the first element. */
  readonly state?: StateHost;
  readonly sideInputs?: SideInputHost;
  /** Absent where no elements are kept for somebody who looks: then nothing is done for it. */
  readonly samples?: ElementSamples | undefined;
  /** What the graph around a step says of it. Absent: no lateness, and a default truncation is refused. */
  stepFacts?(step: string): StepFacts;
}

/** What a step cannot tell from its own proto. */
export interface StepFacts {
  /** Of its input's windowing strategy: timers may be set so far behind the end of their window. */
  readonly allowedLatenessMs: number;
  /** Whether its outputs are bounded: what a drain does with a restriction that the DoFn does not truncate. */
  readonly isBounded: boolean;
}

/** One bundle, as its host sees it: effects are collected here and committed together. */
export interface BundleScope extends Omit<BundleContext, "metrics"> {
  metrics(step: string): Metrics;
  /** Takes an element of a PCollection that another stage reads. */
  emit(collection: string, element: Element): void;
  /** Takes the setting or clearing of a timer. */
  setTimer(update: TimerUpdate): void;
  /** Takes what is left of a restriction. `wake` ends the wait for `resumeAtMs` earlier, as a hint. */
  addResidual(residual: Residual, wake?: Promise<void>): void;
  /**
   * A splittable DoFn begins with a restriction: until the function returned is called, the host may have it
   * stopped at any time.
   */
  beginRestriction(active: ActiveRestriction): () => void;
  /** Told of each element that a splittable root emits, before its consumers see it. */
  sourceEmitted(timestampMs: number): void;
  /** The processing clock, ms since 1970. */
  processingTimeMs(): number;
  /** Of what is being processed; absent where the host is not told. */
  readonly inputWatermarkMs?: number | undefined;
  /** How long `transaction` was waited for so far. */
  readonly waitedMs?: number;
  transaction(): Promise<EpochTransaction>;
}

/** A restriction being worked on. After its end everything here does nothing. */
export interface ActiveRestriction {
  readonly root: string;
  /** The rest of it is a residual from now on, added when `process` has ended; does nothing when there is no rest. */
  checkpoint(): void;
  /**
   * Gives a fraction of what is left to `process` and the rest to the host, which must see to it: it is not
   * added as a residual besides. Undefined: there is nothing to split off.
   */
  split(fraction: number): RestrictionSplit | undefined;
  /** Work done and left, if the tracker tells. */
  progress(): { readonly completed: number; readonly remaining: number } | undefined;
}

/** What `process` goes on with, and what has been taken from it. */
export interface RestrictionSplit {
  readonly primary: unknown;
  readonly residual: Residual;
}

/** Keyed state. */
export interface StateHost {
  /**
   * Makes the value, bag and combining cells of these keys and windows readable without a promise.
   * `stateIds` are those that the step declares as such.
   */
  load(
    root: string,
    keys: readonly { readonly keyId: string; readonly key: unknown; readonly window: Window }[],
    stateIds: readonly string[],
  ): void | Promise<void>;
  /** The cells of a key and window that were loaded. */
  cells(root: string, keyId: string, window: Window): HostCells;
  /** Writes everything back that is kept until the end of the bundle. */
  flush(): void | Promise<void>;
}

/** What stands under each member of a set, which is a multimap of its members. */
export const SET_MEMBER = true;

/** The cells of a key and window: the engine's `KeyCells`, or ones whose maps answer later. */
export interface HostCells {
  bag(stateId: string): BagCell;
  multimap(stateId: string): HostMultimap;
}

export interface HostMultimap {
  get(keyId: string, key: unknown): readonly unknown[] | Promise<readonly unknown[]>;
  put(keyId: string, key: unknown, values: readonly unknown[]): void;
  remove(keyId: string, key: unknown): void;
  clear(): void;
  entries():
    | Iterable<readonly [key: unknown, values: readonly unknown[]]>
    | Promise<Iterable<readonly [key: unknown, values: readonly unknown[]]>>;
}

/** Side inputs, loaded for a window (of the side input) before the element that reads them. */
export interface SideInputHost {
  /** The window of the side input that an element of a main window sees: the graph's window mapping function. */
  mapWindow(step: string, sideInput: string, main: Window): Window;
  /** The canonical form of a key of a side input's elements; without it, that of the SDK's general coder. */
  keyId?(step: string, sideInput: string, key: unknown): string;
  load(step: string, sideInput: string, window: Window): void | Promise<void>;
  /** All elements; loaded before. */
  elements(step: string, sideInput: string, window: Window): readonly unknown[];
  /** Of elements `{ key, value }`, the values of a key. */
  values(
    step: string,
    sideInput: string,
    window: Window,
    keyId: string,
    key: unknown,
  ): readonly unknown[] | Promise<readonly unknown[]>;
  /** Of elements `{ key, value }`, the distinct keys. */
  keys(step: string, sideInput: string, window: Window): Iterable<unknown> | Promise<Iterable<unknown>>;
}
