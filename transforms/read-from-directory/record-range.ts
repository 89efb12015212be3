/** The restriction of the directory source: running numbers of the records it hands out. */
import type { RestrictionTracker } from "../primitives/do-fn.js";

/**
 * Records `start` (included) to `end` (excluded; null: without end) of one run. What has been read is
 * not in here but in the files' positions, which commit with the records: the numbers only let a host
 * stop the source between two records and start it again.
 */
export interface RecordRange {
  readonly start: number;
  readonly end: number | null;
}

/** Beam's growable offset range over record numbers; a position is a record's number. */
export class RecordRangeTracker implements RestrictionTracker<RecordRange, number> {
  #range: RecordRange;
  #next: number;

  constructor(range: RecordRange) {
    this.#range = range;
    this.#next = range.start;
  }

  tryClaim(position: number): boolean {
    if (position < this.#next) {
      throw new Error(`record ${position} was claimed after record ${this.#next - 1}`);
    }
    if (this.#range.end !== null && position >= this.#range.end) return false;
    this.#next = position + 1;
    return true;
  }

  /** Every fraction checkpoints: how many records will come nobody knows. */
  trySplit(_fraction: number): { primary: RecordRange; residual: RecordRange } | undefined {
    const { start, end } = this.#range;
    if (end !== null && this.#next >= end) return undefined;
    this.#range = { start, end: this.#next };
    return { primary: this.#range, residual: { start: this.#next, end } };
  }

  currentRestriction(): RecordRange {
    return this.#range;
  }
}
