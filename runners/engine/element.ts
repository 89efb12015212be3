/** Elements, windows and panes as the engine sees them: the shapes of `transforms/primitives/window.ts`. */

/** Equal windows have equal ids. */
export interface Window {
  readonly id: string;
  /** The last event time that belongs to the window, ms since 1970. */
  readonly maxTimestampMs: number;
}

export interface PaneInfo {
  readonly timing: "EARLY" | "ON_TIME" | "LATE" | "UNKNOWN";
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly index: number;
  /** -1 for an EARLY pane. */
  readonly nonSpeculativeIndex: number;
}

/** An element: never changed once made, so that it can be shared. */
export interface Element {
  readonly value: unknown;
  readonly timestampMs: number;
  /** At least one. */
  readonly windows: readonly Window[];
  readonly pane: PaneInfo;
}

/** The pane of an element that no trigger fired. */
export const NO_FIRING: PaneInfo = Object.freeze({
  timing: "UNKNOWN",
  isFirst: true,
  isLast: true,
  index: 0,
  nonSpeculativeIndex: 0,
});

/** Watermark of a PCollection from which nothing has come, and of one from which nothing will come any more. */
export const MIN_WATERMARK_MS = -9223372036854774;
export const MAX_WATERMARK_MS = 9223372036854774;
