/** Windows, panes and elements as DoFns and runners share them. Times are ms since 1970, UTC. */
import { GLOBAL_WINDOW_END_MS } from "./timestamp-bounds.js";

/** A finite grouping of elements in event time. Equal windows of one window function have equal ids. */
export interface Window {
  /** Canonical: windows are compared by it, never by identity. */
  readonly id: string;
  /** The last event time that belongs to the window. */
  readonly maxTimestampMs: number;
}

/** The one window that holds everything. */
export const GLOBAL_WINDOW: Window = Object.freeze({ id: "", maxTimestampMs: GLOBAL_WINDOW_END_MS });

/** [startMs, endMs): fixed, sliding, session and calendar windows. */
export class IntervalWindow implements Window {
  #id: string | undefined;

  constructor(
    readonly startMs: number,
    readonly endMs: number,
  ) {}

  get id(): string {
    this.#id ??= `${this.startMs}/${this.endMs}`;
    return this.#id;
  }

  get maxTimestampMs(): number {
    return Math.min(this.endMs - 1, GLOBAL_WINDOW_END_MS); // so far from 1970 the difference is not exact
  }
}

/** When a pane fired, relative to the watermark's passing the end of its window. */
export type PaneTiming = "EARLY" | "ON_TIME" | "LATE" | "UNKNOWN";

/** What Beam tells of a firing of a window. */
export interface PaneInfo {
  readonly timing: PaneTiming;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** Number of this pane among those of its key and window, from 0. */
  readonly index: number;
  /** The same among the panes that are not EARLY; -1 for an EARLY one. */
  readonly nonSpeculativeIndex: number;
}

/** The pane of an element that no trigger fired. */
export const NO_FIRING: PaneInfo = Object.freeze({
  timing: "UNKNOWN",
  isFirst: true,
  isLast: true,
  index: 0,
  nonSpeculativeIndex: 0,
});

/** Shared, so that elements of the global window allocate nothing for it. */
export const IN_GLOBAL_WINDOW: readonly Window[] = Object.freeze([GLOBAL_WINDOW]);

/** An element with its event time, the windows it is in (at least one) and its pane. Never changed once made. */
export interface WindowedValue<T = unknown> {
  readonly value: T;
  readonly timestampMs: number;
  readonly windows: readonly Window[];
  readonly pane: PaneInfo;
}

/** What is grouped by key: GroupByKey and stateful DoFns take these. */
export interface KV<K, V> {
  readonly key: K;
  readonly value: V;
}
