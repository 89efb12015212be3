/** A restriction of whole numbers, [start, end): offsets in a file or partition, indexes of a list. */
import type { RestrictionTracker } from "./do-fn.js";

/** JSON, as restrictions are. */
export interface OffsetRange {
  readonly start: number;
  /** Not in the range any more. `OPEN_END` for a range that grows. */
  readonly end: number;
}

/** The end of a range that has none yet: JSON has no infinity. */
export const OPEN_END = Number.MAX_SAFE_INTEGER;

/**
 * Offsets are claimed in ascending order, gaps allowed. A range with `OPEN_END` needs `estimateEnd`, which
 * says how far it reaches by now: that decides where a split by fraction falls, never what may be claimed.
 * It is done when `OPEN_END` itself has been claimed in vain. The algorithm is that of Beam's
 * OffsetRangeTracker and GrowableOffsetRangeTracker.
 */
export class OffsetRangeTracker implements RestrictionTracker<OffsetRange, number> {
  #range: OffsetRange;
  #lastAttempted: number | undefined;
  readonly #estimateEnd: (() => number) | undefined;

  constructor(range: OffsetRange, estimateEnd?: () => number) {
    const isRange = Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end);
    if (!isRange || range.start > range.end) {
      throw new Error(
        `an offset range must be whole numbers, start first, got [${range.start}, ${range.end})`,
      );
    }
    if (range.end === OPEN_END && estimateEnd === undefined) {
      throw new Error(`the open range from ${range.start} on needs a function that estimates its end`);
    }
    this.#range = range;
    this.#estimateEnd = estimateEnd;
  }

  tryClaim(offset: number): boolean {
    if (!Number.isSafeInteger(offset)) throw new Error(`an offset must be a whole number, got ${offset}`);
    const after = this.#lastAttempted ?? this.#range.start - 1;
    if (offset <= after) throw new Error(`offset ${offset} is claimed after ${after}`);
    this.#lastAttempted = offset;
    return offset < this.#range.end;
  }

  trySplit(fraction: number): { primary: OffsetRange; residual: OffsetRange } | undefined {
    if (!(fraction >= 0 && fraction <= 1)) {
      throw new Error(`the fraction of a split must be from 0 to 1, got ${fraction}`);
    }
    const { start, end } = this.#range;
    const last = this.#lastAttempted ?? start - 1;
    const reach = Math.max(this.#reach(), last + 1);
    const splitAt = last + Math.max(1, Math.ceil((reach - last) * fraction));
    // The whole of an open range is not the residual's: there is no telling that nothing is left.
    if (splitAt >= end || (fraction > 0 && splitAt > reach)) return undefined;
    this.#range = { start, end: splitAt };
    return { primary: this.#range, residual: { start: splitAt, end } };
  }

  currentRestriction(): OffsetRange {
    return this.#range;
  }

  checkDone(): void {
    const { start, end } = this.#range;
    const last = this.#lastAttempted ?? start - 1;
    if (start === end || last >= end - 1) return;
    throw new Error(
      `of the range [${start}, ${end}), [${last + 1}, ${end}) was neither claimed nor split off`,
    );
  }

  progress(): { readonly completed: number; readonly remaining: number } {
    const { start } = this.#range;
    const next = this.#lastAttempted === undefined ? start : this.#lastAttempted + 1;
    const reach = this.#reach();
    return {
      completed: Math.min(next, Math.max(reach, start)) - start,
      remaining: Math.max(0, reach - next),
    };
  }

  #reach(): number {
    const { end } = this.#range;
    return end === OPEN_END ? Math.min(this.#estimateEnd!(), end) : end;
  }
}
