/** Elements that wait for a stage: arrays as they came, first in, first out. */

import type { TrackedItems } from "./durable/tracked-items.js";
import type { Element } from "./element.js";
import { HoldSet } from "./hold-set.js";

/** Some of the waiting elements. The input watermark may not pass `holdMs` until they are done. */
export interface QueuedElements {
  readonly elements: readonly Element[];
  readonly holdMs: number;
  /** Its place among the others, also of those that were taken and are not released. */
  readonly number: number;
}

/** Arrays taken are forgotten for good once there are this many. */
const TAKEN_MAX = 1024;

export class ElementQueue {
  #chunks: QueuedElements[] = [];
  /** Place of the first that was not taken. */
  #head = 0;
  readonly #holds = new HoldSet();
  readonly #minTimeOf: (elements: readonly Element[]) => number;
  readonly #tracked: TrackedItems<QueuedElements> | undefined;
  #next = 0;
  /** Taken, and not released. */
  #inWork: readonly QueuedElements[] = [];

  /**
   * @param minTimeOf what some of the elements hold when the others are done
   * @param tracked told of what comes, and of what is released
   */
  constructor(
    minTimeOf: (elements: readonly Element[]) => number,
    tracked?: TrackedItems<QueuedElements> | undefined,
  ) {
    this.#minTimeOf = minTimeOf;
    this.#tracked = tracked;
  }

  /** All that is not released, in order. */
  *unreleased(): Generator<QueuedElements> {
    yield* this.#inWork;
    for (let place = this.#head; place < this.#chunks.length; place++) yield this.#chunks[place]!;
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
    const chunk = { elements, holdMs, number: this.#next++ };
    this.#chunks.push(chunk);
    this.#holds.add(holdMs);
    this.#tracked?.put(chunk);
  }

  /** Takes what waited in an earlier process, in order. */
  restore(chunks: readonly QueuedElements[]): void {
    for (const chunk of chunks) {
      this.#chunks.push(chunk);
      this.#holds.add(chunk.holdMs);
      this.#next = Math.max(this.#next, chunk.number + 1);
    }
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
    this.#inWork = taken;
    return taken;
  }

  /** The elements taken are done: they hold nothing any more. */
  release(taken: readonly QueuedElements[]): void {
    this.#inWork = [];
    for (const chunk of taken) {
      this.#holds.remove(chunk.holdMs);
      this.#tracked?.remove(chunk);
    }
  }

  #cutFirst(first: QueuedElements, max: number): void {
    const pieces: QueuedElements[] = [];
    // Whatever came before it is released: the numbers before its own are free, the last is its own.
    let number = first.number + 1 - Math.ceil(first.elements.length / max);
    this.#tracked?.remove(first);
    for (let start = 0; start < first.elements.length; start += max) {
      const elements = first.elements.slice(start, start + max);
      const piece = { elements, holdMs: Math.max(this.#minTimeOf(elements), first.holdMs), number: number++ };
      this.#holds.add(piece.holdMs);
      this.#tracked?.put(piece);
      pieces.push(piece);
    }
    this.#holds.remove(first.holdMs);
    this.#chunks = [...pieces, ...this.#chunks.slice(this.#head + 1)];
    this.#head = 0;
  }
}
