/** Times that an output watermark may not pass: a multiset that knows its minimum. */
import { MAX_WATERMARK_MS } from "./element.js";
import { TimeHeap } from "./time-heap.js";

/** Removed times are kept until they are more than the others by this. */
const REMOVED_MIN = 64;
/** Count of a time that has been removed from the heap too. */
const NOT_IN_HEAP = -1;

/**
 * A removed time stays in heap and map, as it often comes again: a map from which one key is taken and put back
 * over and over looks through all that it was before.
 */
export class HoldSet {
  #counts = new Map<number, number>();
  #heap = new TimeHeap<number>();
  #removed = 0;

  /** The earliest; the maximum if there is none. */
  get minMs(): number {
    for (;;) {
      const first = this.#heap.firstMs;
      if (first === undefined) return MAX_WATERMARK_MS;
      if (this.#counts.get(first)! > 0) return first;
      this.#heap.pop();
      this.#counts.set(first, NOT_IN_HEAP);
    }
  }

  add(ms: number): void {
    const count = this.#counts.get(ms) ?? NOT_IN_HEAP;
    if (count > 0) {
      this.#counts.set(ms, count + 1);
      return;
    }
    if (this.#counts.has(ms)) this.#removed--;
    if (count === NOT_IN_HEAP) this.#heap.push(ms, ms);
    this.#counts.set(ms, 1);
  }

  /** @throws when it was not added */
  remove(ms: number): void {
    const count = this.#counts.get(ms) ?? 0;
    if (count <= 0) throw new Error(`no hold at ${ms} to remove`);
    this.#counts.set(ms, count - 1);
    if (count > 1) return;
    this.#removed++;
    if (2 * this.#removed > this.#counts.size + REMOVED_MIN) this.#rebuild();
  }

  #rebuild(): void {
    const counts = this.#counts;
    this.#counts = new Map();
    this.#heap = new TimeHeap();
    this.#removed = 0;
    for (const [ms, count] of counts) {
      if (count <= 0) continue;
      this.#counts.set(ms, count);
      this.#heap.push(ms, ms);
    }
  }
}
