/** writeChangesToPostgres, writeRowsToPostgres: rows that are inserted, updated and deleted, by key and version. */
import type { Operation } from "../sql/changed-table.js";
import type { ColumnValue } from "../sql/copy-text.js";
import type { PCollection } from "./primitives/beam.js";
import type { JsonValue } from "./primitives/fn-registry.js";
import { registeredParDo, type StepOf, type TaggedOutputs } from "./primitives/par-do.js";
import type { RejectedChange, RowChange } from "./row-change.js";
import { REJECTED_OUTPUT } from "./waiting-batches.js";
import { WRITE_CHANGES_FN, type WriteChangesConfig, WriteChangesFn } from "./write-changes-fn.js";

export type { Operation } from "../sql/changed-table.js";
export type { ColumnValue } from "../sql/copy-text.js";
export { type RejectedChange, type RowChange, RowRefusedError } from "./row-change.js";

/** A row's fields by column; those that a table has no column for are passed over, missing ones are null. */
export type RowOf = Readonly<Record<string, ColumnValue>>;

export interface WriteChangesOptions {
  /** `table` or `schema.table`. */
  readonly table: string;
  /** Columns to fill, key and version among them; a row's field of the same name goes into each. */
  readonly columns: readonly string[];
  /** Columns of a unique key: which row a change is of. Needed for upserts and deletes; without it rows are appended. */
  readonly conflictKey?: readonly string[];
  /**
   * Column whose value rises with each change of a key: smallint, integer, bigint, numeric or timestamp, not null.
   * Without one the change that is written last wins.
   */
  readonly version?: string;
  /**
   * A column `boolean not null`. Deletes set it instead of removing the row, which so keeps the version that makes
   * older upserts late; an upsert with a greater version clears it.
   */
  readonly tombstone?: string;
  /**
   * The table is in another database: the name of a connection that the process knows, e.g. `reports` for the one in
   * `MILLRACE_SINK_REPORTS_URL`. Rows are committed here as a log and replayed there behind the commit, so what
   * PostgreSQL refuses is known only then: it is kept there in `millrace_sink_refused`. For the direct runner alone.
   */
  readonly database?: string;
}

export interface WriteRowsOptions extends WriteChangesOptions {
  /** What becomes of each row. */
  readonly operation: Operation;
}

/**
 * Writes each change `{ operation, row }` to the row of its key:
 * - `insert-once` inserts it where the key is not taken;
 * - `upsert` inserts it, or updates the row if the stored version is less than its own: one with an equal version is a
 *   repeat, one with a lesser version is late, and both come to nothing;
 * - `delete` removes the row if its version is not greater, and needs no more than key and version. At one version a
 *   delete wins over an upsert. Where an older upsert may come behind it, it takes a `tombstone` to keep it out.
 *
 * Of a key that changes several times in a bundle only the last version reaches the table. Changes that PostgreSQL
 * refuses for what they hold, and those without key or version, come out as `rejected`; a pipeline that does not read
 * that output fails with the first of them (RowRefusedError). Counters of the step: `inserted`, `updated`, `deleted`,
 * `stale`, `rejected`.
 *
 * Exactly once on the direct runner, also into another `database`. On job servers idempotent by key, where key, version and tombstone are given; else
 * the graph is refused there (UnsafeSinkError). Bounded if its input is.
 */
export function writeChangesToPostgres<Row extends object = RowOf>(
  options: WriteChangesOptions,
): StepOf<PCollection<RowChange<Row>>, TaggedOutputs<{ rejected: RejectedChange<Row> }>> {
  return step<RowChange<Row>, Row>(options);
}

/** As `writeChangesToPostgres`, with elements that are rows, and one operation for all of them. */
export function writeRowsToPostgres<Row extends object = RowOf>(
  options: WriteRowsOptions,
): StepOf<PCollection<Row>, TaggedOutputs<{ rejected: RejectedChange<Row> }>> {
  return step<Row, Row>(options);
}

function step<In, Row extends object>(
  config: WriteChangesConfig,
): StepOf<PCollection<In>, TaggedOutputs<{ rejected: RejectedChange<Row> }>> {
  new WriteChangesFn(config); // what is wrong with the options is said where they are
  return registeredParDo<In, { rejected: RejectedChange<Row> }>(
    WRITE_CHANGES_FN,
    config as unknown as JsonValue,
    { outputs: [REJECTED_OUTPUT] },
  );
}
