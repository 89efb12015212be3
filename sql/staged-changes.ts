/** Writes a batch of changes, the last of each key: COPY into a stage, then a statement for each kind of change. */
import { type ChangeStatements, changeStatements } from "./change-statements.js";
import type { ChangedTable, Operation, TableFacts } from "./changed-table.js";
import type { CopyRows } from "./copy-text.js";
import { type Rejection, writeByHalves } from "./halved-rows.js";
import type { SqlTransaction } from "./sql-session.js";
import { classify } from "./sql-state.js";

/** How many changes took effect, and which PostgreSQL refuses; all others were late. */
export interface ChangesResult {
  readonly inserted: number;
  readonly updated: number;
  /** Rows that are gone, and tombstones that were set or moved to a greater version. */
  readonly deleted: number;
  readonly rejections: readonly Rejection[];
}

/** The stage is a temporary table of the session, emptied by each commit, and between the batches of one transaction. */
export class StagedChanges {
  readonly #statements: ChangeStatements;
  readonly #isShared: boolean;
  /** Whose stage may hold the rows of an earlier batch. */
  readonly #begun = new WeakSet<SqlTransaction>();

  /**
   * @param stageName name of the temporary table; one for each writing step.
   * @param isShared whether others write changes of the same keys at the same time
   */
  constructor(table: ChangedTable, stageName: string, facts: TableFacts, isShared: boolean) {
    this.#statements = changeStatements(table, stageName, facts);
    this.#isShared = isShared;
  }

  /**
   * Writes the changes: those that insert once first, the first of a key; then of each key the last upsert or delete.
   * What PostgreSQL refuses is found by halving and left out. Where that is the last change of a key, the one before it
   * takes its place: so the table comes to the same, however changes are spread over batches.
   * @param rows each an operation's code (`OPERATION_CODES`), then the columns
   * @param operations those in the batch
   * @throws any error that is not about what a row holds; the transaction must then be rolled back.
   */
  async write(
    transaction: SqlTransaction,
    rows: CopyRows,
    operations: ReadonlySet<Operation>,
  ): Promise<ChangesResult> {
    const { create, empty, copy } = this.#statements;
    await transaction.execute(create);
    if (this.#begun.has(transaction)) await transaction.execute(empty);
    this.#begun.add(transaction);
    const result = { inserted: 0, updated: 0, deleted: 0, rejections: [] as Rejection[] };
    const range = { rows, from: 0, to: rows.length };
    await writeByHalves(transaction, range, {
      write: async ({ from, to }) => {
        await transaction.copy(copy, rows.chunks(from, to));
        const { inserted, updated, deleted } = await this.#apply(transaction, operations);
        return () => {
          result.inserted += inserted;
          result.updated += updated;
          result.deleted += deleted;
        };
      },
      refuse: (rejection) => void result.rejections.push(rejection),
      ...(this.#isShared ? { beforeHalves: () => this.#lockAll(transaction, rows) } : {}),
      empty,
    });
    return result;
  }

  /** Halves go through the keys twice: what is there of them all is locked before, in their order. */
  async #lockAll(transaction: SqlTransaction, rows: CopyRows): Promise<void> {
    const { copy, lock, empty } = this.#statements;
    await transaction.execute("savepoint lock");
    try {
      await transaction.copy(copy, rows.chunks(0, rows.length));
      await transaction.execute(lock);
      await transaction.execute(`${empty}; release savepoint lock`);
    } catch (error) {
      // a value that its column cannot hold: the halves find it, and lock as they go
      if (classify(error) !== "reject-row") throw error;
      await transaction.execute("rollback to savepoint lock; release savepoint lock");
    }
  }

  async #apply(
    transaction: SqlTransaction,
    operations: ReadonlySet<Operation>,
  ): Promise<Omit<ChangesResult, "rejections">> {
    const statements = this.#statements;
    // each statement goes through keys in their order; two of them would take some rows behind others
    if (this.#isShared && operations.size > 1) await transaction.execute(statements.lock);
    const once = operations.has("insert-once") ? await transaction.execute(statements.insertOnce) : 0;
    const [upserted = { inserted: 0, updated: 0 }] = operations.has("upsert")
      ? await transaction.query<{ inserted: number; updated: number }>(statements.upsert)
      : [];
    const deleted = operations.has("delete") ? await transaction.execute(statements.delete) : 0;
    return { inserted: once + upserted.inserted, updated: upserted.updated, deleted };
  }
}
