/** Processing time for the engine: the wall clock, made so that it never goes back. */
import type { Clock } from "../../transforms/primitives/do-fn.js";

/**
 * Follows the wall clock. When that is set back, this one goes on at the pace of the monotonic clock
 * until the wall clock has caught up: a residual or a timer never waits for the same hour twice.
 */
export class ProcessingClock {
  readonly #clock: Clock;
  #lastMs: number;
  #lastMonotonicMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.now();
    this.#lastMonotonicMs = clock.monotonicMs();
  }

  now(): number {
    const monotonicMs = this.#clock.monotonicMs();
    const wallMs = this.#clock.now();
    this.#lastMs = wallMs >= this.#lastMs ? wallMs : this.#lastMs + monotonicMs - this.#lastMonotonicMs;
    this.#lastMonotonicMs = monotonicMs;
    return this.#lastMs;
  }
}
