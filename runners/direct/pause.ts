/** How the loop waits: for time, for a wake-up, or for something to fail. */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../transforms/primitives/do-fn.js";

/** Work goes on for this long before the process gets a turn for its signals, timers and sockets. */
const TURN_MS = 20;
/** How long cancelling waits for a DoFn that goes on; then it is left behind. */
export const CANCEL_WAIT_MS = 2_000;

/** The promise, or what `left` gives when it has not settled some time after the signal. */
export function orLeave<T>(
  promise: Promise<T>,
  cancel: AbortSignal,
  clock: Clock,
  left: () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settled = new AbortController();
    const giveUp = async () => {
      await clock.sleep(CANCEL_WAIT_MS, settled.signal);
      if (!settled.signal.aborted) resolve(left());
    };
    promise.then(resolve, reject).finally(() => settled.abort());
    if (cancel.aborted) void giveUp();
    else cancel.addEventListener("abort", () => void giveUp(), { once: true, signal: settled.signal });
  });
}

export class Pause {
  readonly #clock: Clock;
  #failed: { readonly error: unknown } | undefined;
  /** Whoever waits for something else than a failure; a set, as a promise would remember all that ever raced it. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #sleeping: AbortController | undefined;
  #turnStartMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnStartMs = clock.monotonicMs();
  }

  /** Whoever waits, waits no longer: for the first of several errors. */
  fail(error: unknown): void {
    if (this.#failed !== undefined) return;
    this.#failed = { error };
    for (const reject of this.#waiting) reject(error);
    this.end();
  }

  /** The promise, or the failure if that is earlier. */
  orFail<T>(promise: Promise<T>): Promise<T> {
    return this.#race(promise, (error, reject) => reject(error));
  }

  /** The promise, which gets some time to end after a failure. */
  orCancel<T>(promise: Promise<T>): Promise<T> {
    const ended = new AbortController();
    const running = promise.finally(() => ended.abort());
    return this.#race(running, (error, reject) => {
      void this.#clock.sleep(CANCEL_WAIT_MS, ended.signal).then(() => reject(error));
    });
  }

  /** Resolves after `ms`, or when `end` is called, or something fails. */
  async wait(ms: number): Promise<void> {
    if (ms <= 0 || this.#failed !== undefined) return;
    const sleeping = new AbortController();
    this.#sleeping = sleeping;
    await this.#clock.sleep(ms, sleeping.signal);
    this.#sleeping = undefined;
  }

  end(): void {
    this.#sleeping?.abort();
  }

  /** Gives the process a turn now and then. @throws when something has failed meanwhile */
  async breathe(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#turnStartMs >= TURN_MS) {
      await setImmediate();
      this.#turnStartMs = this.#clock.monotonicMs();
    }
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  #race<T>(
    promise: Promise<T>,
    onFailure: (error: unknown, reject: (error: unknown) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const failed = (error: unknown) => onFailure(error, reject);
      if (this.#failed !== undefined) failed(this.#failed.error);
      else this.#waiting.add(failed);
      const done = () => this.#waiting.delete(failed);
      promise.then(
        (value) => {
          done();
          resolve(value);
        },
        (error) => {
          done();
          reject(error);
        },
      );
    });
  }
}
