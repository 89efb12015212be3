/** Numbers and times the panes of one key and window. */
import type { PaneInfo } from "./element.js";

/** What is to be known of the last pane that was emitted; plain data. */
export interface LastPane {
  readonly timing: "EARLY" | "ON_TIME" | "LATE";
  readonly index: number;
  /** -1 for an EARLY one. */
  readonly nonSpeculativeIndex: number;
}

/**
 * Timing goes EARLY*, at most one ON_TIME, LATE*. The window has ended when the input watermark is beyond its end;
 * when the output watermark is, whatever comes of it is late for whoever reads it.
 */
export function nextPane(
  last: LastPane | undefined,
  hasWindowEnded: boolean,
  isLateForOutput: boolean,
  isLast: boolean,
): PaneInfo & LastPane {
  const hasOnlyBeenEarly = last === undefined || last.timing === "EARLY";
  const index = last === undefined ? 0 : last.index + 1;
  if (isLateForOutput || !hasOnlyBeenEarly) {
    return paneOf("LATE", index, (last?.nonSpeculativeIndex ?? -1) + 1, isLast);
  }
  if (!hasWindowEnded) return paneOf("EARLY", index, -1, isLast);
  return paneOf("ON_TIME", index, 0, isLast);
}

function paneOf(
  timing: LastPane["timing"],
  index: number,
  nonSpeculativeIndex: number,
  isLast: boolean,
): PaneInfo & LastPane {
  // The pane of nearly every window: one object for all of them.
  if (index === 0 && timing === "ON_TIME") return isLast ? ONLY_PANE : FIRST_ON_TIME_PANE;
  return { timing, isFirst: index === 0, isLast, index, nonSpeculativeIndex };
}

const ONLY_PANE = Object.freeze({
  timing: "ON_TIME",
  isFirst: true,
  isLast: true,
  index: 0,
  nonSpeculativeIndex: 0,
} as const);

const FIRST_ON_TIME_PANE = Object.freeze({ ...ONLY_PANE, isLast: false } as const);
