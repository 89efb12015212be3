/** A watermark: a time that never goes back. */
import { MIN_WATERMARK_MS } from "./element.js";

export class Watermark {
  #ms = MIN_WATERMARK_MS;

  /** @param owner what an error calls it by */
  constructor(readonly owner: string) {}

  get ms(): number {
    return this.#ms;
  }

  /** As an earlier process had it. */
  restore(ms: number): void {
    this.#ms = ms;
  }

  /** @throws when it would go back: whoever computed it forgot a hold */
  advanceTo(ms: number): void {
    if (!(ms >= this.#ms)) throw new Error(`watermark of ${this.owner} went back: ${this.#ms} → ${ms}`);
    this.#ms = ms;
  }
}
