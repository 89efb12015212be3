/** The splittable DoFn of the scenarios that only ask which parts are processed. */
import type {
  ProcessContinuation,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../../transforms/primitives/do-fn.js";
import { type OffsetRange, OffsetRangeTracker } from "./offset-range.js";
import { kv } from "./sources.js";

export const DONE: ProcessContinuation = { resume: false };
export const AT_ONCE: ProcessContinuation = { resume: true, delayMs: 0 };

/** Pairs a text with each of its indexes; in two halves, and with a checkpoint behind each `perCall` indexes. */
export class IndexesFn implements SplittableDoFn<string, OffsetRange, number> {
  readonly perCall: number;

  constructor(perCall = 3) {
    this.perCall = perCall;
  }

  initialRestriction(text: string): OffsetRange {
    return { from: 0, to: text.length };
  }

  splitRestriction(_text: string, { from, to }: OffsetRange): OffsetRange[] {
    const middle = Math.floor((from + to) / 2);
    return [
      { from, to: middle },
      { from: middle, to },
    ].filter((half) => half.from < half.to);
  }

  createTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(text: string, tracker: OffsetRangeTracker, context: SplittableProcessContext): ProcessContinuation {
    let claimed = 0;
    for (let i = tracker.currentRestriction().from; tracker.tryClaim(i); i++) {
      context.output(kv(text, i));
      claimed += 1;
      if (claimed === this.perCall) return AT_ONCE;
    }
    return DONE;
  }
}
