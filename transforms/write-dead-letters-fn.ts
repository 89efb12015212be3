/** The DoFn of `writeDeadLetters`: a row in `dead_letters` and a line in a file, both with the epoch. */
import { deadLetterLine } from "../sql/dead-letter-line.js";
import { settleRetries } from "../sql/dead-letter-retries.js";
import {
  insertDeadLetters,
  insertNewDeadLetters,
  type DeadLetter as LetterRow,
} from "../sql/dead-letters.js";
import { inTurn } from "../sql/transaction-turns.js";
import { letterRowOf } from "./dead-letter-row.js";
import { EpochFiles } from "./epoch-files.js";
import type { DeadLetter, Problem } from "./input-record.js";
import type {
  BundleContext,
  DoFn,
  FinishBundleContext,
  ProcessContext,
  SetupContext,
  TransactionContext,
} from "./primitives/do-fn.js";
import { failpoint } from "./primitives/failpoint.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import type { SinkPlace, SinkPromise } from "./primitives/sink-promise.js";
import { RetriedRecord } from "./retried-record.js";

export interface WriteDeadLettersConfig {
  /** Folder of the NDJSON files, e.g. `data/error`. */
  readonly errorDir: string;
}

/** Where bundles may repeat they may be large as well: beyond either, letters do not wait for the bundle's end. */
const WAITING_LETTERS_MAX = 1_000;
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Keeps every record that cannot become a row: in the table, in the transaction of the epoch, and as
 * NDJSON in the error folder, under a pending name before the commit and renamed after it. Both
 * exactly once, whatever is killed.
 *
 * A letter that is tried again is in the table already: it is marked with what became of its record, in the same
 * transaction, and leaves the counts of dead letters unless it is rejected again.
 *
 * Where bundles may repeat, a letter that is there already is let be and not counted, and the file is left to whoever
 * commits the epoch: see `publishDeadLetters`.
 */
export class WriteDeadLettersFn implements DoFn<DeadLetter> {
  readonly #errorDir: string;
  #pipeline = "";
  /** Undefined where bundles may repeat. */
  #files: EpochFiles | undefined;
  #letters: LetterRow[] = [];
  #bytes = 0;
  readonly #retried = new Set<RetriedRecord>();

  constructor(config: WriteDeadLettersConfig) {
    this.#errorDir = config.errorDir;
  }

  sinkPromise({ bundlesMayRepeat }: SinkPlace): SinkPromise {
    const target = `dead_letters and ${this.#errorDir}`;
    return { target, guarantee: bundlesMayRepeat ? "idempotent by key" : "exactly once" };
  }

  async setup(context: SetupContext): Promise<void> {
    this.#pipeline = context.pipeline;
    if (context.bundlesMayRepeat) return;
    const ready = context.shared("files", async () => {
      const files = new EpochFiles(this.#errorDir, context.pipeline);
      await files.recover(context.database);
      return files;
    });
    this.#files = await ready;
  }

  startBundle(_context: BundleContext): void {
    this.#clear();
    this.#retried.clear();
  }

  process(letter: DeadLetter, context: ProcessContext): void | Promise<void> {
    if (letter.record instanceof RetriedRecord) return this.#takeRetried(letter.record, letter.problem);
    const row = letterRowOf(letter);
    if (this.#files !== undefined) {
      context.ledger.addDeadLetter(row.fileId, row.reason);
      this.#letters.push(row);
      return undefined;
    }
    // A copy: a few letters must not keep the buffers of all the records alive that were read with them.
    this.#letters.push({ ...row, raw: Buffer.from(row.raw) });
    this.#bytes += row.raw.length;
    const mustWait = this.#letters.length < WAITING_LETTERS_MAX && this.#bytes < WAITING_BYTES_MAX;
    return mustWait ? undefined : this.#insertNew(context);
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#letters.length > 0) {
      if (this.#files === undefined) await this.#insertNew(context);
      else await this.#insert(this.#files, context);
    }
    if (this.#retried.size > 0) await this.#settle(context);
  }

  /** Its letter as it stands, from its source; or why its record was rejected again. */
  #takeRetried(record: RetriedRecord, problem: Problem): void {
    this.#retried.add(record);
    if (problem !== record.letter.problem) record.became("rejected", problem);
  }

  async #settle(context: FinishBundleContext): Promise<void> {
    const retried = [...this.#retried];
    this.#retried.clear();
    const settled = retried.map((record) => record.settled);
    const transaction = await context.transaction();
    await settleRetries(transaction, this.#pipeline, transaction.epoch, settled);
    retried.forEach(({ file, letter }, at) => {
      if (settled[at]!.outcome === "rejected") return;
      context.ledger.addDeadLetter(file.fileId, letter.problem.reason, -1);
    });
  }

  async #insertNew(context: TransactionContext & BundleContext): Promise<void> {
    const letters = this.#letters;
    this.#clear();
    const transaction = await context.transaction();
    const counts = await inTurn(transaction, () =>
      insertNewDeadLetters(transaction, this.#pipeline, transaction.epoch, letters),
    );
    failpoint("after-dead-letters");
    for (const { fileId, reason, count } of counts) context.ledger.addDeadLetter(fileId, reason, count);
  }

  async #insert(files: EpochFiles, context: FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    const { epoch, runId } = transaction;
    await insertDeadLetters(transaction, this.#pipeline, epoch, this.#letters);
    failpoint("after-dead-letters");
    const lines = this.#letters.map((letter) => deadLetterLine(letter, this.#pipeline, epoch));
    const pending = await files.writePending(epoch, runId, lines.join(""));
    failpoint("after-pending-file");
    context.afterCommit(() => {
      failpoint("before-publish");
      return files.publish(pending);
    });
    this.#clear();
  }

  #clear(): void {
    this.#letters = [];
    this.#bytes = 0;
  }
}

export const WRITE_DEAD_LETTERS_FN = registerDoFn(
  "write_dead_letters@1",
  (config: WriteDeadLettersConfig) => new WriteDeadLettersFn(config),
);
