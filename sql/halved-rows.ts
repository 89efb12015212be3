/** A batch of rows in one go; those that PostgreSQL refuses for what they hold are found by halving. */
import type { CopyRows } from "./copy-text.js";
import type { SqlTransaction } from "./sql-session.js";
import { classify } from "./sql-state.js";

/** A row that PostgreSQL refuses for what it holds (SQLSTATE classes 22 and 23, or raised by a trigger). */
export interface Rejection {
  /** Index of the row in the batch. */
  readonly index: number;
  readonly error: Error;
}

/** Rows of a batch from index `from` to `to` (exclusive). */
export interface RowRange {
  readonly rows: CopyRows;
  readonly from: number;
  readonly to: number;
}

/** What is done with rows. */
export interface RowWork {
  /** Writes the rows. Gives what makes the result count; it is called when PostgreSQL has accepted all of them. */
  write(range: RowRange): Promise<() => void>;
  /** Takes a row that PostgreSQL refuses, of which nothing is written. */
  refuse(rejection: Rejection): void | Promise<void>;
  /** Called once, when a batch of several rows has failed as a whole, and before any of it is written by halves. */
  beforeHalves?(range: RowRange): Promise<void>;
  /** Statement that empties the stage between the halves. */
  readonly empty: string;
}

/**
 * Writes the rows, the first half before the second where it has to halve them. Deferred constraints are looked at
 * here already.
 * @throws any error that is not about what a row holds; the transaction must then be rolled back.
 */
export async function writeByHalves(
  transaction: SqlTransaction,
  range: RowRange,
  work: RowWork,
): Promise<void> {
  const { rows, from, to } = range;
  await transaction.execute("savepoint rows");
  try {
    const count = await work.write(range);
    await transaction.execute("set constraints all immediate; release savepoint rows");
    count();
    return;
  } catch (error) {
    if (classify(error) !== "reject-row") throw error;
    await transaction.execute("rollback to savepoint rows; release savepoint rows");
    if (to - from === 1) {
      await work.refuse({ index: from, error: error as Error });
      return;
    }
  }
  const middle = (from + to) >> 1;
  const { beforeHalves, ...half } = work;
  await beforeHalves?.(range);
  await writeByHalves(transaction, { rows, from, to: middle }, half);
  await transaction.execute(work.empty);
  await writeByHalves(transaction, { rows, from: middle, to }, half);
}
