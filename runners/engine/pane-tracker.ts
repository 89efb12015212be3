/** Numbers and times the panes of one key and window. */
import type { PaneInfo } from "./element.js";

/** What is to be known of the last pane that was emitted; plain data. */
export interface LastPane {
  readonly timing: "EARLY" | "ON_TIME" | "LATE";
  readonly index: number;
  /** -1 for an EARLY one. */
  readonly nonSpeculativeIndex: number;
}

/** A pane behind which others may come. It knows what fired it, which is nothing to whoever compares panes. */
export class FiredPane implements PaneInfo, LastPane {
  readonly isFirst: boolean;
  readonly #source: string;

  /** @param source one text for all panes that are numbered together: those of a key and window of a GroupByKey */
  constructor(
    readonly timing: LastPane["timing"],
    readonly index: number,
    readonly nonSpeculativeIndex: number,
    readonly isLast: boolean,
    source: string,
  ) {
    this.isFirst = index === 0;
    this.#source = source;
  }

  /** Undefined if no other pane of the same source is known to come before or behind it. */
  static sourceOf(pane: PaneInfo): string | undefined {
    return #source in pane ? pane.#source : undefined;
  }
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
  sourceOf: () => string,
): PaneInfo & LastPane {
  const hasOnlyBeenEarly = last === undefined || last.timing === "EARLY";
  const index = last === undefined ? 0 : last.index + 1;
  if (isLateForOutput || !hasOnlyBeenEarly) {
    return paneOf("LATE", index, (last?.nonSpeculativeIndex ?? -1) + 1, isLast, sourceOf);
  }
  if (!hasWindowEnded) return paneOf("EARLY", index, -1, isLast, sourceOf);
  return paneOf("ON_TIME", index, 0, isLast, sourceOf);
}

function paneOf(
  timing: LastPane["timing"],
  index: number,
  nonSpeculativeIndex: number,
  isLast: boolean,
  sourceOf: () => string,
): PaneInfo & LastPane {
  // The pane of nearly every window: one object for all of them.
  if (index === 0 && timing === "ON_TIME" && isLast) return ONLY_PANE;
  return new FiredPane(timing, index, nonSpeculativeIndex, isLast, sourceOf());
}

const ONLY_PANE = Object.freeze({
  timing: "ON_TIME",
  isFirst: true,
  isLast: true,
  index: 0,
  nonSpeculativeIndex: 0,
} as const);
