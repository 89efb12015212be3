/** A data or state stream that broke while the control stream stands: the end of its worker, once it is needed. */
import type { StreamLostError } from "./transport/runner-stream.js";

/**
 * Java's runners take one stream of each kind from a worker, so none is opened a second time: the worker ends, and the
 * bundles under way tell the runner why. Between bundles it may be the runner's own end, which the control stream will
 * tell: then only a bundle that comes all the same ends the worker.
 */
export class BrokenStreams {
  /** Rejects when a bundle needs what is lost. */
  readonly whenNeeded: Promise<never>;
  readonly #isBusy: () => boolean;
  #reject: (error: StreamLostError) => void = () => undefined;
  #error: StreamLostError | undefined;

  /** `isBusy` tells whether bundles are under way. */
  constructor(isBusy: () => boolean) {
    this.#isBusy = isBusy;
    this.whenNeeded = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.whenNeeded.catch(() => undefined); // the worker may have ended before
  }

  lost(error: StreamLostError): void {
    this.#error ??= error;
    if (this.#isBusy()) this.#reject(this.#error);
  }

  /** A bundle was answered. */
  answered(): void {
    if (this.#error !== undefined) this.#reject(this.#error);
  }
}
