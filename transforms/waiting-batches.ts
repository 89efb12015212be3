/** Batches of a bundle that are written one behind the other, while the next one fills. */

/** What the database rejects leaves a sink on this output. */
export const REJECTED_OUTPUT = "rejected";

/**
 * What waits for the end of its bundle at the most; the rows beyond go into its transaction before. Not less than an
 * epoch of the direct runner, whose rows are to wait until the epochs before it are committed.
 */
export const WAITING_ROWS_MAX = 20_000;
export const WAITING_BYTES_MAX = 32 * 1024 * 1024;

/** One batch fills at a time; those that are written are emptied and filled again. */
export class WaitingBatches<Batch extends { clear(): void }> {
  readonly #create: () => Batch;
  readonly #spare: Batch[] = [];
  #filling: Batch;
  /** Resolves when all batches given so far are written. */
  #written: Promise<void> | undefined;

  constructor(create: () => Batch) {
    this.#create = create;
    this.#filling = create();
  }

  /** The one to fill. */
  get filling(): Batch {
    return this.#filling;
  }

  /** A bundle begins: of the one before, which may have been lost, nothing is left. */
  begin(): void {
    this.#filling.clear();
    this.#written = undefined;
  }

  /** Writes the batch behind those that were given before, and begins another one. */
  write(work: (batch: Batch) => Promise<void>): Promise<void> {
    const batch = this.#filling;
    this.#filling = this.#spare.pop() ?? this.#create();
    const write = async () => {
      await work(batch);
      batch.clear();
      this.#spare.push(batch);
    };
    this.#written = this.#written === undefined ? write() : this.#written.then(write);
    return this.#written;
  }
}
