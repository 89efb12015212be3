/** A tracker of positions without end: claims one after the other, from where it is told to. */
import type { RestrictionTracker } from "../../transforms/primitives/do-fn.js";

export class PositionTracker implements RestrictionTracker<number, number> {
  #next: number;
  #isStopped = false;

  constructor(from: number) {
    this.#next = from;
  }

  tryClaim(position: number): boolean {
    if (this.#isStopped) return false;
    this.#next = position + 1;
    return true;
  }

  trySplit(): { primary: number; residual: number } | undefined {
    if (this.#isStopped) return undefined;
    this.#isStopped = true;
    return { primary: 0, residual: this.#next };
  }

  currentRestriction(): number {
    return this.#next;
  }
}
