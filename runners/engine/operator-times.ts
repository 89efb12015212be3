/** How far time is for one GroupByKey: its input's watermark, what others saw of its own, and the clock. */
import { MIN_WATERMARK_MS } from "./element.js";
import type { Times } from "./group-by-key-operator.js";

export class OperatorTimes {
  readonly #nodeId: string;
  #inputWatermarkMs = MIN_WATERMARK_MS;
  #outputWatermarkMs = MIN_WATERMARK_MS;
  #processingTimeMs = Number.NEGATIVE_INFINITY;

  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  get inputWatermarkMs(): number {
    return this.#inputWatermarkMs;
  }

  get outputWatermarkMs(): number {
    return this.#outputWatermarkMs;
  }

  get processingTimeMs(): number {
    return this.#processingTimeMs;
  }

  /** As they were in an earlier process; the clock is told with whatever comes first. */
  restore(inputWatermarkMs: number, outputWatermarkMs: number): void {
    this.#inputWatermarkMs = inputWatermarkMs;
    this.#outputWatermarkMs = outputWatermarkMs;
  }

  /** @throws Error when the watermark goes back, which is a bug of whoever tells it */
  advance({ inputWatermarkMs, processingTimeMs }: Times, holdMs: number): void {
    if (inputWatermarkMs < this.#inputWatermarkMs) {
      const change = `${this.#inputWatermarkMs} → ${inputWatermarkMs}`;
      throw new Error(`input watermark of GroupByKey ${this.#nodeId} went back: ${change}`);
    }
    const seen = Math.min(this.#inputWatermarkMs, holdMs);
    if (seen > this.#outputWatermarkMs) this.#outputWatermarkMs = seen;
    this.#inputWatermarkMs = inputWatermarkMs;
    // A clock that was set back waits until it has caught up.
    if (processingTimeMs > this.#processingTimeMs) this.#processingTimeMs = processingTimeMs;
  }
}
