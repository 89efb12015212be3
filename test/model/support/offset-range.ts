/** Offsets of a range, and the tracker by which a splittable DoFn of a test works through them. */
import type { RestrictionTracker } from "../../../transforms/primitives/do-fn.js";

/** [from, to). A type, not an interface: a restriction is JSON. */
export type OffsetRange = { readonly from: number; readonly to: number };

/** Claims offsets upwards. */
export class OffsetRangeTracker implements RestrictionTracker<OffsetRange, number> {
  #range: OffsetRange;
  #claimed: number | undefined;
  #isDone = false;

  constructor(range: OffsetRange) {
    this.#range = range;
  }

  tryClaim(position: number): boolean {
    if (position < this.#range.from || (this.#claimed !== undefined && position <= this.#claimed)) {
      throw new Error(`claimed ${position} after ${this.#claimed ?? "nothing"} of ${this.#text()}`);
    }
    this.#claimed = position;
    if (position >= this.#range.to) this.#isDone = true;
    return position < this.#range.to;
  }

  trySplit(fraction: number): { primary: OffsetRange; residual: OffsetRange } | undefined {
    const { from, to } = this.#range;
    const next = this.#claimed === undefined ? from : this.#claimed + 1;
    const at = Math.max(next, Math.ceil(next + (to - next) * fraction));
    if (this.#isDone || at >= to) return undefined;
    this.#range = { from, to: at };
    return { primary: this.#range, residual: { from: at, to } };
  }

  currentRestriction(): OffsetRange {
    return this.#range;
  }

  checkDone(): void {
    const next = this.#claimed === undefined ? this.#range.from : this.#claimed + 1;
    if (!this.#isDone && next < this.#range.to) {
      throw new Error(`offsets from ${next} of ${this.#text()} were not claimed`);
    }
  }

  #text(): string {
    return `[${this.#range.from}, ${this.#range.to})`;
  }
}
