/** Up to which event time a watched directory has given everything: what its watermark estimator tells. */
import type { Clock } from "../primitives/do-fn.js";
import { MIN_TIMESTAMP_MS } from "../primitives/timestamp-bounds.js";

export interface DirectoryWatermarkOptions {
  /** How much older than the newest record before it a record may be without being late. */
  readonly outOfOrdernessMs: number;
  /** With nothing to read for so long, event time is taken to go on with the clock, this far behind it. */
  readonly idleMs: number;
  readonly clock: Clock;
}

/**
 * The smallest over the files being read of the largest event time seen in each, less the disorder that is
 * allowed. A file holds the watermark only while more of it is there to be read: one that was read to its
 * end may have ended for good. Files that nobody has looked into do not hold it; they are read in their
 * order, and what they have that is older is late. It never goes back.
 */
export class DirectoryWatermark {
  readonly #options: DirectoryWatermarkOptions;
  /** Largest event time by the id of the file, of files that were not at their end. */
  readonly #begun = new Map<number, number>();
  #largestMs = MIN_TIMESTAMP_MS;
  #lastRecordAtMs: number;
  #currentMs: number;

  /** @param restoredMs the watermark committed last. */
  constructor(options: DirectoryWatermarkOptions, restoredMs: number = MIN_TIMESTAMP_MS) {
    this.#options = options;
    this.#lastRecordAtMs = options.clock.monotonicMs();
    this.#currentMs = restoredMs;
  }

  get currentMs(): number {
    return this.#currentMs;
  }

  /** Takes in that records of a file were emitted, the newest of them of this event time. */
  emitted(fileId: number, largestMs: number): void {
    this.#largestMs = Math.max(this.#largestMs, largestMs);
    this.#begun.set(fileId, Math.max(this.#begun.get(fileId) ?? MIN_TIMESTAMP_MS, largestMs));
    this.#lastRecordAtMs = this.#options.clock.monotonicMs();
  }

  /** Moves on. @param unfinished ids of the files of which more is there; @param isIdle nothing is. */
  advance(unfinished: ReadonlySet<number>, isIdle: boolean): void {
    let smallestMs = this.#largestMs;
    for (const [fileId, largestMs] of this.#begun) {
      if (unfinished.has(fileId)) smallestMs = Math.min(smallestMs, largestMs);
      else this.#begun.delete(fileId);
    }
    this.#moveTo(smallestMs - this.#options.outOfOrdernessMs);
    if (isIdle) this.#goOnWithTheClock();
  }

  #goOnWithTheClock(): void {
    const { clock, idleMs, outOfOrdernessMs } = this.#options;
    if (clock.monotonicMs() - this.#lastRecordAtMs < idleMs) return;
    this.#moveTo(clock.now() - idleMs - outOfOrdernessMs);
  }

  #moveTo(watermarkMs: number): void {
    this.#currentMs = Math.max(this.#currentMs, watermarkMs);
  }
}
