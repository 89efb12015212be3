/** Turns of the steps that write in one transaction while a bundle is under way. */
import type { SqlTransaction } from "./sql-session.js";

const lastTurns = new WeakMap<SqlTransaction, Promise<unknown>>();

/**
 * Does `work` once all work that was given before for this transaction is done: between a savepoint and its release
 * there must be no statement of another step. After a failure nothing is done any more, the transaction is lost.
 */
export function inTurn<T>(transaction: SqlTransaction, work: () => Promise<T>): Promise<T> {
  const before = lastTurns.get(transaction);
  const turn = before === undefined ? work() : before.then(work);
  lastTurns.set(transaction, turn);
  return turn;
}
