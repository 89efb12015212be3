/** Elements that wait for a stage: arrays as they came, first in, first out. */
import type { Element } from "./element.js";
import { HoldSet } from "./hold-set.js";

/** Some of the waiting elements. The input watermark may not pass `holdMs` until they are done. */
export interface QueuedElements {
  readonly elements: readonly Element[];
  readonly holdMs: number;
}

/** Arrays taken are forgotten for good once there are this many. */
const TAKEN_MAX = 1024;

export class ElementQueue {
  #chunks: QueuedElements[] = [];
  /** Place of the first that was not taken. */
  #head = 0;
  readonly #holds = new HoldSet();
  readonly #minTimeOf: (elements: readonly Element[]) => number;

  /** @param minTimeOf what some of the elements hold when the others are done */
  constructor(minTimeOf: (elements: readonly Element[]) => number) {
    this.#minTimeOf = minTimeOf;
  }

  get isEmpty(): boolean {
    return this.#head === this.#chunks.length;
  }

  /** Elements that wait, those taken left out: counted when asked. */
  get size(): number {
    let size = 0;
    for (let place = this.#head; place < this.#chunks.length; place++)
      size += this.#chunks[place]!.elements.length;
    return size;
  }

  /** The earliest hold, of what was taken and is not released too; the maximum if there is none. */
  get holdMs(): number {
    return this.#holds.minMs;
  }

  push(elements: readonly Element[], holdMs: number): void {
    if (elements.length === 0) return;
    this.#chunks.push({ elements, holdMs });
    this.#holds.add(holdMs);
  }

  /**
   * At most `max` elements, as whole arrays; only an array that is too long by itself is cut, and then
   * into pieces of this length, so that each element is copied once. Their holds stay until `release`.
   */
  take(max: number): QueuedElements[] {
    const first = this.#chunks[this.#head];
    if (first === undefined) return [];
    if (first.elements.length > max) this.#cutFirst(first, max);
    const start = this.#head;
    let room = max;
    for (;;) {
      const chunk = this.#chunks[this.#head];
      if (chunk === undefined || chunk.elements.length > room) break;
      room -= chunk.elements.length;
      this.#head++;
    }
    const taken = this.#chunks.slice(start, this.#head);
    if (this.isEmpty || this.#head > TAKEN_MAX) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }

  /** The elements taken are done: they hold nothing any more. */
  release(taken: readonly QueuedElements[]): void {
    for (const { holdMs } of taken) this.#holds.remove(holdMs);
  }

  #cutFirst(first: QueuedElements, max: number): void {
    const pieces: QueuedElements[] = [];
    for (let start = 0; start < first.elements.length; start += max) {
      const elements = first.elements.slice(start, start + max);
      const piece = { elements, holdMs: Math.max(this.#minTimeOf(elements), first.holdMs) };
      this.#holds.add(piece.holdMs);
      pieces.push(piece);
    }
    this.#holds.remove(first.holdMs);
    this.#chunks = [...pieces, ...this.#chunks.slice(this.#head + 1)];
    this.#head = 0;
  }
}
