/** Processing time for the engine: the wall clock, made so that it never goes back. */
import type { Clock } from "../../transforms/primitives/do-fn.js";

/** The wall clock was set back when it is behind by more than this: less is how clocks are adjusted. */
const SET_BACK_MS = 1_000;

/**
 * Follows the wall clock. When that is set back, this one goes on as if it had not been, until the wall
 * clock has caught up: a residual or a timer never waits for the same hour twice.
 */
export class ProcessingClock {
  readonly #clock: Clock;
  #lastMs: number;
  #lastMonotonicMs: number;
  /** By which the wall clock was set back. */
  #behindMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.now();
    this.#lastMonotonicMs = clock.monotonicMs();
  }

  now(): number {
    const monotonicMs = this.#clock.monotonicMs();
    const wallMs = this.#clock.now();
    const expectedMs = this.#lastMs + monotonicMs - this.#lastMonotonicMs;
    if (wallMs >= expectedMs) this.#behindMs = 0;
    else if (wallMs + this.#behindMs < expectedMs - SET_BACK_MS) this.#behindMs = expectedMs - wallMs;
    this.#lastMs = Math.max(this.#lastMs, wallMs + this.#behindMs);
    this.#lastMonotonicMs = monotonicMs;
    return this.#lastMs;
  }
}
