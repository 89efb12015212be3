/** The last elements of PCollections, for somebody who looks; where nobody asked for them, nothing of this is there. */
import type { Receive } from "./receive.js";

export interface Sample {
  readonly value: unknown;
  readonly timestampMs: number;
}

/** Keeps references: an element must not be changed by whoever has it, and is turned into text when it is looked at. */
export class ElementSamples {
  readonly #max: number;
  readonly #rings = new Map<string, Ring>();

  /** @param max elements of each PCollection */
  constructor(max: number) {
    this.#max = max;
  }

  observing(collection: string, receive: Receive): Receive {
    const ring = this.#rings.get(collection) ?? new Ring(this.#max);
    this.#rings.set(collection, ring);
    return (value, timestampMs, windows, pane) => {
      ring.add(value, timestampMs);
      receive(value, timestampMs, windows, pane);
    };
  }

  /** The oldest first; undefined of a PCollection that is not observed. */
  of(collection: string): readonly Sample[] | undefined {
    return this.#rings.get(collection)?.inOrder();
  }
}

class Ring {
  readonly #samples: Sample[] = [];
  readonly #max: number;
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(value: unknown, timestampMs: number): void {
    this.#samples[this.#next] = { value, timestampMs };
    this.#next = this.#next + 1 === this.#max ? 0 : this.#next + 1;
  }

  inOrder(): readonly Sample[] {
    return [...this.#samples.slice(this.#next), ...this.#samples.slice(0, this.#next)];
  }
}
