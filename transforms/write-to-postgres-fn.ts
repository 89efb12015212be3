/** The DoFn of `writeToPostgres`: hands a bundle's rows to the transaction that its host gives it. */
import { createHash } from "node:crypto";
import { type ColumnValue, CopyRows, copyField } from "../sql/copy-text.js";
import { type InsertResult, StagedInsert, type StagedTable } from "../sql/staged-insert.js";
import { markRefused } from "./acceptance.js";
import type { DeadLetter, RecordOrigin, Sourced } from "./input-record.js";
import type { BundleContext, DoFn, FinishBundleContext, SetupContext } from "./primitives/do-fn.js";
import { failpoint } from "./primitives/failpoint.js";
import { registerDoFn } from "./primitives/fn-registry.js";

export type WriteToPostgresConfig = StagedTable;

/** Rows that the database rejects leave on this output, as dead letters. */
export const REJECTED_OUTPUT = "rejected";

type Row = Readonly<Record<string, ColumnValue>>;

/**
 * Writes each value as one row of the table, insert-once by the conflict key, in the transaction of
 * the bundle's epoch: exactly once. Values whose key is taken are counted as duplicates or
 * conflicts; values that PostgreSQL rejects (SQLSTATE 22*, 23*, P0001) leave as dead letters.
 */
export class WriteToPostgresFn implements DoFn<Sourced<Row>> {
  readonly #table: StagedTable;
  #insert: StagedInsert | undefined;
  /** Of the rows; their values are in the rows already. */
  #records: RecordOrigin[] = [];
  readonly #rows = new CopyRows();

  constructor(config: WriteToPostgresConfig) {
    this.#table = config;
  }

  setup(context: SetupContext): void {
    const step = createHash("sha256").update(context.step).digest("hex").slice(0, 16);
    this.#insert = new StagedInsert(this.#table, `millrace_stage_${step}`);
  }

  startBundle(_context: BundleContext): void {
    this.#records = [];
    this.#rows.clear();
  }

  process(element: Sourced<Row>): void {
    const { columns } = this.#table;
    let fields = copyField(element.value[columns[0] as string]);
    for (let at = 1; at < columns.length; at++)
      fields += `\t${copyField(element.value[columns[at] as string])}`;
    this.#rows.push(fields);
    this.#records.push(element.record);
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#rows.length === 0) return;
    const transaction = await context.transaction();
    const result = await (this.#insert as StagedInsert).insert(transaction, this.#rows);
    failpoint("after-rows");
    this.#account(result, context);
    this.#records = [];
    this.#rows.clear();
  }

  /** Counts what became of every value, and sends the rejected ones on. */
  #account(result: InsertResult, context: FinishBundleContext): void {
    const written = new Array<boolean>(this.#records.length).fill(true);
    const refuse = (index: number): RecordOrigin => {
      const record = this.#records[index] as RecordOrigin;
      written[index] = false;
      markRefused(record);
      return record;
    };
    for (const { index, isEqual } of result.repeats) {
      context.ledger.add(refuse(index).file.fileId, isEqual ? "duplicates" : "conflicts");
    }
    for (const { index, error } of result.rejections) {
      context.outputTo(REJECTED_OUTPUT, rejected(refuse(index), error));
    }
    this.#records.forEach((record, index) => {
      if (written[index]) context.ledger.add(record.file.fileId, "events_written");
    });
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
