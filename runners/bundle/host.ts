/** What a bundle processor needs from whatever hosts it: the direct runner, or an SDK harness. */
import type { BundleContext, EpochTransaction, SetupContext } from "../../transforms/primitives/do-fn.js";

/** A host lives as long as its processors: one run of the pipeline. */
export interface BundleHost {
  /** What the DoFn of this step gets in `setup`. */
  setupContext(step: string): SetupContext;
  /** Takes an element of a PCollection that another stage reads. */
  emit(collection: string, value: unknown, timestampMs: number): void;
  /** Absent where the host has none; a graph that needs it is refused before the first element. */
  readonly state?: StateHost;
  readonly timers?: TimerHost;
  readonly sideInputs?: SideInputHost;
}

/** One bundle, as its host sees it: effects are collected here and committed together. */
export interface BundleScope extends BundleContext {
  transaction(): Promise<EpochTransaction>;
}

/**
 * Keyed state. The declared value, bag and combining cells of a key are made resident before its
 * elements run, so that reads are plain values; maps, sets and large bags may answer later.
 */
export interface StateHost {
  /** Makes the cells of the keys readable without a promise. */
  load(step: string, keys: readonly Uint8Array[]): void | Promise<void>;
  read(step: string, stateId: string, key: Uint8Array, window: unknown): Iterable<unknown>;
  readMapKey(
    step: string,
    stateId: string,
    key: Uint8Array,
    window: unknown,
    mapKey: Uint8Array,
  ): Iterable<unknown> | Promise<Iterable<unknown>>;
  append(step: string, stateId: string, key: Uint8Array, window: unknown, values: readonly unknown[]): void;
  clear(step: string, stateId: string, key: Uint8Array, window: unknown): void;
}

/** Timers of both domains; times in ms since 1970. */
export interface TimerHost {
  set(timer: {
    readonly step: string;
    readonly family: string;
    readonly tag: string;
    readonly key: Uint8Array;
    readonly window: unknown;
    readonly fireAtMs: number;
    /** The hold: event time of what the timer will emit. */
    readonly outputTimestampMs: number;
  }): void;
  clear(step: string, family: string, tag: string, key: Uint8Array, window: unknown): void;
}

/** Side inputs, loaded for a window before the element that reads them. */
export interface SideInputHost {
  load(collection: string, window: unknown): void | Promise<void>;
  iterable(collection: string, window: unknown): Iterable<unknown>;
  multimap(
    collection: string,
    window: unknown,
    key: Uint8Array,
  ): Iterable<unknown> | Promise<Iterable<unknown>>;
}
