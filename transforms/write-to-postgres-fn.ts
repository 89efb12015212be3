/** The DoFn of `writeToPostgres`: hands a bundle's rows to the transaction that its host gives it. */
import { createHash } from "node:crypto";
import { insertNewConflicts } from "../sql/conflicts.js";
import { type ColumnValue, CopyRows, copyField } from "../sql/copy-text.js";
import { type InsertResult, type Repeat, StagedInsert, type StagedTable } from "../sql/staged-insert.js";
import { inTurn } from "../sql/transaction-turns.js";
import { markRefused } from "./acceptance.js";
import type { DeadLetter, RecordOrigin, Sourced } from "./input-record.js";
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
import { NO_FIRING, type Window } from "./primitives/window.js";

export type WriteToPostgresConfig = StagedTable;

/** Rows that the database rejects leave on this output, as dead letters. */
export const REJECTED_OUTPUT = "rejected";

/**
 * What waits for the end of its bundle at the most; the rows beyond go into its transaction before. Not less than an
 * epoch of the direct runner, whose rows are to wait until the epochs before it are committed.
 */
export const WAITING_ROWS_MAX = 20_000;
export const WAITING_BYTES_MAX = 32 * 1024 * 1024;

type Row = Readonly<Record<string, ColumnValue>>;

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
 * is kept in the table `conflicts`, and counted if it was not there.
 */
export class WriteToPostgresFn implements DoFn<Sourced<Row>> {
  /** One batch is on its way while the next one fills. */
  readonly concurrencyMax = 2;
  readonly #table: StagedTable;
  #insert: StagedInsert | undefined;
  #pipeline = "";
  #bundlesMayRepeat = false;
  #batch = new Batch();
  /** Empty, to be filled again. */
  #spare: Batch[] = [];
  /** Resolves when all batches given so far are written. */
  #written: Promise<void> | undefined;

  constructor(config: WriteToPostgresConfig) {
    this.#table = config;
  }

  setup(context: SetupContext): void {
    const step = createHash("sha256").update(context.step).digest("hex").slice(0, 16);
    this.#insert = new StagedInsert(this.#table, `millrace_stage_${step}`);
    this.#pipeline = context.pipeline;
    this.#bundlesMayRepeat = context.bundlesMayRepeat;
  }

  startBundle(_context: BundleContext): void {
    this.#batch.clear();
    this.#written = undefined;
  }

  process(element: Sourced<Row>, context: ProcessContext): void | Promise<void> {
    const waiting = this.#batch.rows;
    const isFull = waiting.length >= WAITING_ROWS_MAX || waiting.bytes >= WAITING_BYTES_MAX;
    const written = isFull ? this.#write(context) : undefined;
    const { columns } = this.#table;
    let fields = copyField(element.value[columns[0] as string]);
    for (let at = 1; at < columns.length; at++)
      fields += `\t${copyField(element.value[columns[at] as string])}`;
    const batch = this.#batch;
    batch.rows.push(fields);
    batch.records.push(element.record);
    batch.timestampsMs.push(context.timestampMs);
    batch.windows.push(context.windows);
    return written;
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#batch.rows.length > 0) await this.#write(context);
  }

  /** Writes the batch behind those that were given before, and begins another one. */
  #write(context: ProcessContext | FinishBundleContext): Promise<void> {
    const batch = this.#batch;
    this.#batch = this.#spare.pop() ?? new Batch();
    const write = () => this.#writeBatch(batch, context);
    this.#written = this.#written === undefined ? write() : this.#written.then(write);
    return this.#written;
  }

  async #writeBatch(batch: Batch, context: ProcessContext | FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    const result = await inTurn(transaction, async () => {
      const inserted = await (this.#insert as StagedInsert).insert(transaction, batch.rows);
      if (this.#bundlesMayRepeat) await this.#keepConflicts(inserted.repeats, batch, context, transaction);
      else countRepeats(inserted.repeats, batch, context);
      return inserted;
    });
    failpoint("after-rows");
    this.#account(result, batch, context);
    batch.clear();
    this.#spare.push(batch);
  }

  async #keepConflicts(
    repeats: readonly Repeat[],
    { records }: Batch,
    context: BundleContext,
    transaction: EpochTransaction,
  ): Promise<void> {
    const conflicts = repeats
      .filter(({ isEqual }) => !isEqual)
      .map(({ index }) => {
        const { file, line, byteStart, byteEnd } = records[index] as RecordOrigin;
        return { fileId: file.fileId, generation: file.generation, line, byteStart, byteEnd };
      });
    const counts = await insertNewConflicts(transaction, this.#pipeline, transaction.epoch, conflicts);
    for (const { fileId, count } of counts) context.ledger.add(fileId, "conflicts", count);
  }

  /** Counts what was written, and sends on what was rejected, at the time and in the windows of its value. */
  #account(
    { repeats, rejections }: InsertResult,
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
    for (const { index, error } of rejections) {
      context.outputWindowed(REJECTED_OUTPUT, {
        value: rejected(refuse(index), error),
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

function rejected(record: RecordOrigin, error: Error): DeadLetter {
  const { code, column, constraint } = error as Error &
    Partial<Record<"code" | "column" | "constraint", string>>;
  const facts = [`SQLSTATE ${code}`, column && `column ${column}`, constraint && `constraint ${constraint}`];
  const message = `${facts.filter(Boolean).join(", ")}: ${error.message}`;
  return { record, problem: { reason: "rejected_by_database", messages: [message] } };
}

export const WRITE_TO_POSTGRES_FN = registerDoFn(
  "write_to_postgres@1",
  (config: WriteToPostgresConfig) => new WriteToPostgresFn(config),
);
