/** The DoFn of `writeToPostgres`: hands a bundle's rows to the transaction that its host gives it. */
import { createHash } from "node:crypto";
import { insertNewConflicts } from "../sql/conflicts.js";
import { type ColumnValue, CopyRows, copyField } from "../sql/copy-text.js";
import { insertNewDeadLetters, selectLettersAt } from "../sql/dead-letters.js";
import { type InsertResult, type Repeat, StagedInsert, type StagedTable } from "../sql/staged-insert.js";
import { inTurn } from "../sql/transaction-turns.js";
import { markRefused } from "./acceptance.js";
import { letterRowOf } from "./dead-letter-row.js";
import type { DeadLetter, Problem, RecordOrigin, Sourced } from "./input-record.js";
import type {
  BundleContext,
  DoFn,
  EpochTransaction,
  FinishBundleContext,
  ProcessContext,
  SetupContext,
} from "./primitives/do-fn.js";
import { failpoint } from "./primitives/failpoint.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import type { SinkPlace, SinkPromise } from "./primitives/sink-promise.js";
import { NO_FIRING, type Window } from "./primitives/window.js";
import { rejectionProblem } from "./rejection-problem.js";
import { REJECTED_OUTPUT, WAITING_BYTES_MAX, WAITING_ROWS_MAX, WaitingBatches } from "./waiting-batches.js";

export type WriteToPostgresConfig = StagedTable;

type Row = Readonly<Record<string, ColumnValue>>;

/** A value of the batch that leaves as a dead letter. */
interface Refusal {
  readonly index: number;
  readonly problem: Problem;
}

/** Rows, and what is known of each but its values, which are in the rows already. */
class Batch {
  readonly rows = new CopyRows();
  readonly records: RecordOrigin[] = [];
  readonly timestampsMs: number[] = [];
  readonly windows: (readonly Window[])[] = [];

  clear(): void {
    this.rows.clear();
    this.records.length = 0;
    this.timestampsMs.length = 0;
    this.windows.length = 0;
  }
}

/**
 * Writes each value as one row of the table, insert-once by the conflict key, in the transaction of
 * the bundle's epoch: exactly once. Values whose key is taken are counted as duplicates or
 * conflicts; values that PostgreSQL rejects (SQLSTATE 22*, 23*, P0001) leave as dead letters.
 *
 * Where bundles may repeat, a row that is there may be the value's own: it is not counted as a duplicate. A conflict
 * is kept in the table `conflicts`, and counted if it was not there. The letter of a rejected value is written with the
 * rows, not only by who gets the output: the step behind may come in another transaction, or never, and until then a
 * later row may take the key of the value, which would look like a conflict when it comes again.
 */
export class WriteToPostgresFn implements DoFn<Sourced<Row>> {
  /** One batch is on its way while the next one fills. */
  readonly concurrencyMax = 2;
  readonly #table: StagedTable;
  #insert: StagedInsert | undefined;
  #pipeline = "";
  #bundlesMayRepeat = false;
  readonly #batches = new WaitingBatches(() => new Batch());

  constructor(config: WriteToPostgresConfig) {
    this.#table = config;
  }

  sinkPromise({ bundlesMayRepeat }: SinkPlace): SinkPromise {
    const target = this.#table.table;
    return { target, guarantee: bundlesMayRepeat ? "idempotent by key" : "exactly once" };
  }

  setup(context: SetupContext): void {
    const step = createHash("sha256").update(context.step).digest("hex").slice(0, 16);
    this.#insert = new StagedInsert(this.#table, `millrace_stage_${step}`);
    this.#pipeline = context.pipeline;
    this.#bundlesMayRepeat = context.bundlesMayRepeat;
  }

  startBundle(_context: BundleContext): void {
    this.#batches.begin();
  }

  process(element: Sourced<Row>, context: ProcessContext): void | Promise<void> {
    const waiting = this.#batches.filling.rows;
    const isFull = waiting.length >= WAITING_ROWS_MAX || waiting.bytes >= WAITING_BYTES_MAX;
    const written = isFull ? this.#write(context) : undefined;
    const { columns } = this.#table;
    let fields = copyField(element.value[columns[0] as string]);
    for (let at = 1; at < columns.length; at++)
      fields += `\t${copyField(element.value[columns[at] as string])}`;
    const batch = this.#batches.filling;
    batch.rows.push(fields);
    batch.records.push(element.record);
    batch.timestampsMs.push(context.timestampMs);
    batch.windows.push(context.windows);
    return written;
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#batches.filling.rows.length > 0) await this.#write(context);
  }

  #write(context: ProcessContext | FinishBundleContext): Promise<void> {
    return this.#batches.write((batch) => this.#writeBatch(batch, context));
  }

  async #writeBatch(batch: Batch, context: ProcessContext | FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    const { result, refusals } = await inTurn(transaction, async () => {
      const result = await (this.#insert as StagedInsert).insert(transaction, batch.rows);
      const refusals = result.rejections.map(({ index, error }) => ({
        index,
        problem: rejectionProblem(error),
      }));
      if (!this.#bundlesMayRepeat) {
        countRepeats(result.repeats, batch, context);
        return { result, refusals };
      }
      await this.#keepLetters(refusals, batch, context, transaction);
      const before = await this.#keepConflicts(result.repeats, batch, context, transaction);
      return { result, refusals: [...refusals, ...before].sort((a, b) => a.index - b.index) };
    });
    failpoint("after-rows");
    this.#account(result, refusals, batch, context);
  }

  async #keepLetters(
    refusals: readonly Refusal[],
    { records }: Batch,
    context: BundleContext,
    transaction: EpochTransaction,
  ): Promise<void> {
    const letters = refusals.map(({ index, problem }) =>
      letterRowOf({ record: records[index] as RecordOrigin, problem }),
    );
    const counts = await insertNewDeadLetters(transaction, this.#pipeline, transaction.epoch, letters);
    for (const { fileId, reason, count } of counts) context.ledger.addDeadLetter(fileId, reason, count);
  }

  /** @returns those that are no conflicts: they were refused when they came before */
  async #keepConflicts(
    repeats: readonly Repeat[],
    { records }: Batch,
    context: BundleContext,
    transaction: EpochTransaction,
  ): Promise<Refusal[]> {
    const unequal = repeats.filter(({ isEqual }) => !isEqual).map(({ index }) => index);
    const places = unequal.map((index) => {
      const { file, line, byteStart, byteEnd } = records[index] as RecordOrigin;
      return { fileId: file.fileId, generation: file.generation, line, byteStart, byteEnd };
    });
    const letters = await selectLettersAt(transaction, this.#pipeline, places);
    const conflicts = places.filter((_, at) => letters[at] === undefined);
    const counts = await insertNewConflicts(transaction, this.#pipeline, transaction.epoch, conflicts);
    for (const { fileId, count } of counts) context.ledger.add(fileId, "conflicts", count);
    return unequal.flatMap((index, at) => {
      const problem = letters[at];
      return problem === undefined ? [] : [{ index, problem }];
    });
  }

  /** Counts what was written, and sends on what was rejected, at the time and in the windows of its value. */
  #account(
    { repeats }: InsertResult,
    refusals: readonly Refusal[],
    { records, timestampsMs, windows }: Batch,
    context: ProcessContext | FinishBundleContext,
  ): void {
    const written = new Array<boolean>(records.length).fill(true);
    const refuse = (index: number): RecordOrigin => {
      const record = records[index] as RecordOrigin;
      written[index] = false;
      markRefused(record);
      return record;
    };
    for (const { index } of repeats) refuse(index);
    for (const { index, problem } of refusals) {
      const letter: DeadLetter = { record: refuse(index), problem };
      context.outputWindowed(REJECTED_OUTPUT, {
        value: letter,
        timestampMs: timestampsMs[index] as number,
        windows: windows[index] as readonly Window[],
        pane: NO_FIRING,
      });
    }
    records.forEach((record, index) => {
      if (!written[index]) return;
      context.ledger.add(record.file.fileId, "events_written");
      record.became("written");
    });
  }
}

function countRepeats(repeats: readonly Repeat[], { records }: Batch, context: BundleContext): void {
  for (const { index, isEqual } of repeats) {
    const record = records[index] as RecordOrigin;
    context.ledger.add(record.file.fileId, isEqual ? "duplicates" : "conflicts");
    record.became(isEqual ? "duplicate" : "conflict");
  }
}

export const WRITE_TO_POSTGRES_FN = registerDoFn(
  "write_to_postgres@1",
  (config: WriteToPostgresConfig) => new WriteToPostgresFn(config),
);
