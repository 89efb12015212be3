/** What a bundle processor needs from whatever hosts it: the direct runner, or an SDK harness. */
import type { BundleContext, EpochTransaction, SetupContext } from "../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import type { Residual, TimerUpdate } from "../engine/bundle.js";
import type { Element, Window } from "../engine/element.js";
import type { BagCell } from "../engine/state-store.js";

/** A host lives as long as its processors: one run of the pipeline. */
export interface BundleHost {
  /** What the DoFn of this step gets in `setup`. */
  setupContext(step: string): SetupContext;
  /** Absent where the host has none; a graph that needs it is refused before the first element. */
  readonly state?: StateHost;
  readonly sideInputs?: SideInputHost;
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
  transaction(): Promise<EpochTransaction>;
}

/** A restriction being worked on. */
export interface ActiveRestriction {
  readonly root: string;
  /** The rest of it is a residual from now on; does nothing when there is no rest. */
  checkpoint(): void;
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
