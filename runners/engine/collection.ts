/** A PCollection in the engine: its watermark, and who gets its elements. */
import type { Element } from "./element.js";
import { Watermark } from "./watermark.js";

/** Takes the elements of a PCollection as they come. */
export interface Consumer {
  /** The array is shared: never changed by anyone. */
  receive(elements: readonly Element[], minTimestampMs: number): void;
}

export class Collection {
  /** Lower bound of what is still to come, late elements aside; moved by the producer. */
  readonly watermark: Watermark;
  readonly #consumers: Consumer[] = [];

  constructor(readonly id: string) {
    this.watermark = new Watermark(`PCollection ${id}`);
  }

  addConsumer(consumer: Consumer): void {
    this.#consumers.push(consumer);
  }

  /** Hands the elements to every consumer. */
  emit(elements: readonly Element[]): void {
    if (elements.length === 0 || this.#consumers.length === 0) return;
    const minTimestampMs = minTimestampOf(elements);
    for (const consumer of this.#consumers) consumer.receive(elements, minTimestampMs);
  }
}

/** The earliest event time. */
export function minTimestampOf(elements: readonly Element[]): number {
  let minMs = Number.POSITIVE_INFINITY;
  for (const element of elements) if (element.timestampMs < minMs) minMs = element.timestampMs;
  return minMs;
}
