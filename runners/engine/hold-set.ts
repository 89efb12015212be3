/** Times that an output watermark may not pass: a multiset that knows its minimum. */
import { MAX_WATERMARK_MS } from "./element.js";
import { TimeHeap } from "./time-heap.js";

/** Removed times stay in the heap until they come up, or until they are more than half of it. */
const STALE_MIN = 64;

export class HoldSet {
  readonly #counts = new Map<number, number>();
  #heap = new TimeHeap<number>();

  /** The earliest; the maximum if there is none. */
  get minMs(): number {
    for (;;) {
      const first = this.#heap.firstMs;
      if (first === undefined) return MAX_WATERMARK_MS;
      if (this.#counts.has(first)) return first;
      this.#heap.pop();
    }
  }

  add(ms: number): void {
    const count = this.#counts.get(ms);
    this.#counts.set(ms, (count ?? 0) + 1);
    if (count === undefined) this.#heap.push(ms, ms);
  }

  /** @throws when it was not added */
  remove(ms: number): void {
    const count = this.#counts.get(ms);
    if (count === undefined) throw new Error(`no hold at ${ms} to remove`);
    if (count > 1) {
      this.#counts.set(ms, count - 1);
      return;
    }
    this.#counts.delete(ms);
    if (this.#heap.size > 2 * this.#counts.size + STALE_MIN) this.#rebuild();
  }

  #rebuild(): void {
    this.#heap = new TimeHeap();
    for (const ms of this.#counts.keys()) this.#heap.push(ms, ms);
  }
}
