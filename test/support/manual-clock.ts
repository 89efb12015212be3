/** A clock that stands still until a test moves it. */
import type { Clock } from "../../transforms/primitives/do-fn.js";

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/** Wall clock and monotonic clock move together, by `advance` only. */
export class ManualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #sleepers: Sleeper[] = [];
  #onSleep: (() => void)[] = [];

  constructor(start = "2025-01-01T00:00:00Z") {
    this.#startMs = Date.parse(start);
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const abort = () => this.#wake([sleeper]);
      const wake = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper = { untilMs: this.#elapsedMs + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", abort, { once: true });
      for (const listener of this.#onSleep.splice(0)) listener();
    });
  }

  /** Moves time on and wakes whoever has slept long enough. */
  advance(ms: number): void {
    this.#elapsedMs += ms;
    this.#wake(this.#sleepers.filter(({ untilMs }) => untilMs <= this.#elapsedMs));
  }

  /** Resolves when somebody sleeps: all that could happen until now has happened. */
  asleep(): Promise<void> {
    if (this.#sleepers.length > 0) return Promise.resolve();
    return new Promise((resolve) => this.#onSleep.push(resolve));
  }

  #wake(sleepers: readonly Sleeper[]): void {
    this.#sleepers = this.#sleepers.filter((sleeper) => !sleepers.includes(sleeper));
    for (const { wake } of sleepers) wake();
  }
}
