/** Elements of a step that wants them in the order of their times: each waits until the watermark has passed it. */
import { type Element, MAX_WATERMARK_MS, type Window } from "./element.js";
import { HoldSet } from "./hold-set.js";
import { TimeHeap } from "./time-heap.js";

interface Waiting {
  readonly element: Element;
  readonly window: Window;
  readonly holdMs: number;
}

export class SortedInput {
  readonly #waiting = new TimeHeap<Waiting>();
  readonly #holds = new HoldSet();
  #taken: Waiting[] = [];

  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#taken.length === 0;
  }

  /** Elements, once for each of their windows. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The earliest hold, of what is being worked on too. */
  get holdMs(): number {
    return this.#holds.minMs;
  }

  /** Time of the next element; the maximum if there is none. */
  get nextMs(): number {
    return this.#waiting.firstMs ?? MAX_WATERMARK_MS;
  }

  add(element: Element, window: Window, floorMs: number): void {
    // One with a time behind its window comes at the window's end, while what the window has is there.
    const timeMs = Math.min(element.timestampMs, window.maxTimestampMs);
    const holdMs = Math.max(timeMs, floorMs);
    this.#waiting.push(timeMs, { element, window, holdMs });
    this.#holds.add(holdMs);
  }

  /** Those before `watermarkMs`, and not after `lastMs`, in order. */
  take(watermarkMs: number, lastMs: number, max: number): readonly Waiting[] {
    while (this.#taken.length < max && this.nextMs < watermarkMs && this.nextMs <= lastMs) {
      this.#taken.push(this.#waiting.pop()!);
    }
    return this.#taken;
  }

  complete(): void {
    for (const { holdMs } of this.#taken) this.#holds.remove(holdMs);
    this.#taken = [];
  }
}
