/** writeToPostgres: values become rows of a table, each key once. */
import type { DeadLetter, Sourced } from "./input-record.js";
import type { PCollection } from "./primitives/beam.js";
import { registeredParDo, type StepOf, type TaggedOutputs } from "./primitives/par-do.js";
import { DeadLetterCoder } from "./record-coders.js";

export type WriteToPostgresOptions = {
  /** `table` or `schema.table`. */
  readonly table: string;
  /** Columns to fill; a value's field of the same name goes into each. */
  readonly columns: readonly string[];
  /** Columns of a unique key: a row whose key is taken is not written. */
  readonly conflictKey: readonly string[];
};

/**
 * Inserts a row for every value in the transaction that its host commits the bundle with: exactly once
 * where positions are committed in the same transaction, idempotent by key elsewhere. Rows that the
 * database refuses for what they hold come out as `rejected`; on job servers they are in `dead_letters` already then.
 * Bounded if its input is.
 */
export function writeToPostgres<T>(
  options: WriteToPostgresOptions,
): StepOf<PCollection<Sourced<T>>, TaggedOutputs<{ rejected: DeadLetter }>> {
  return registeredParDo<Sourced<T>, { rejected: DeadLetter }>("write_to_postgres@1", options, {
    outputs: ["rejected"],
    coders: { rejected: new DeadLetterCoder() },
  });
}
