/** How the loop waits: for time, for a wake-up, or for something to fail. */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../transforms/primitives/do-fn.js";

/** Work goes on for this long before the process gets a turn for its signals, timers and sockets. */
const TURN_MS = 20;
/** How long cancelling waits for a DoFn that goes on; then it is left behind. */
const CANCEL_WAIT_MS = 2_000;

export class Pause {
  readonly #clock: Clock;
  readonly #failure: Promise<never>;
  readonly #abandoned: Promise<never>;
  #reject: (error: unknown) => void = () => undefined;
  #failed: { readonly error: unknown } | undefined;
  #sleeping: AbortController | undefined;
  #turnStartMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnStartMs = clock.monotonicMs();
    this.#failure = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.#abandoned = this.#failure.catch(async (error: unknown) => {
      await clock.sleep(CANCEL_WAIT_MS);
      throw error;
    });
    // Awaited wherever the loop waits.
    this.#failure.catch(() => undefined);
    this.#abandoned.catch(() => undefined);
  }

  /** Whoever waits, waits no longer: for the first of several errors. */
  fail(error: unknown): void {
    this.#failed ??= { error };
    this.#reject(error);
  }

  /** The promise, or the failure if that is earlier. */
  orFail<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failure]);
  }

  /** The promise, which gets some time to end after a failure. */
  orCancel<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#abandoned]);
  }

  /** Resolves after `ms`, or when `end` is called. */
  async wait(ms: number): Promise<void> {
    if (ms <= 0) return;
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
}
