/** Elements of a step that wants them in the order of their times: each waits until the watermark has passed it. */
import type { TrackedItems } from "./durable/tracked-items.js";
import { type Element, MAX_WATERMARK_MS, type Window } from "./element.js";
import { HoldSet } from "./hold-set.js";
import { TimeHeap } from "./time-heap.js";

export interface SortedElement {
  readonly element: Element;
  readonly window: Window;
  readonly holdMs: number;
  /** Orders those of the same time. */
  readonly number: number;
}

export class SortedInput {
  readonly #waiting = new TimeHeap<SortedElement>();
  readonly #holds = new HoldSet();
  #taken: SortedElement[] = [];
  #next = 0;

  constructor(private readonly tracked?: TrackedItems<SortedElement> | undefined) {}

  /** All that is not done, in no particular order. */
  *unfinished(): Generator<SortedElement> {
    yield* this.#taken;
    yield* this.#waiting.items();
  }

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
    const holdMs = Math.max(timeOf(element, window), floorMs);
    const waiting = { element, window, holdMs, number: this.#next };
    this.restore(waiting);
    this.tracked?.put(waiting);
  }

  /** Takes what waited in an earlier process; by number. */
  restore(waiting: SortedElement): void {
    this.#waiting.push(timeOf(waiting.element, waiting.window), waiting);
    this.#holds.add(waiting.holdMs);
    this.#next = waiting.number + 1;
  }

  /** Those before `watermarkMs`, and not after `lastMs`, in order. */
  take(watermarkMs: number, lastMs: number, max: number): readonly SortedElement[] {
    while (this.#taken.length < max && this.nextMs < watermarkMs && this.nextMs <= lastMs) {
      this.#taken.push(this.#waiting.pop()!);
    }
    return this.#taken;
  }

  complete(): void {
    for (const done of this.#taken) {
      this.#holds.remove(done.holdMs);
      this.tracked?.remove(done);
    }
    this.#taken = [];
  }
}

/** One with a time behind its window comes at the window's end, while what the window has is there. */
function timeOf(element: Element, window: Window): number {
  return Math.min(element.timestampMs, window.maxTimestampMs);
}
