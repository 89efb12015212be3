/** Inserts a batch of rows once each: COPY into a stage, then INSERT … ON CONFLICT DO NOTHING. */
import type { CopyRows } from "./copy-text.js";
import { type Rejection, type RowRange, writeByHalves } from "./halved-rows.js";
import { quoteIdentifier, quoteTable } from "./identifier.js";
import type { SqlTransaction } from "./sql-session.js";
import { classify } from "./sql-state.js";

export interface StagedTable {
  /** `table` or `schema.table`. */
  readonly table: string;
  readonly columns: readonly string[];
  /** Columns of a unique key; a row whose key is taken is not inserted. */
  readonly conflictKey: readonly string[];
}

/** A row that was not inserted because its key was taken by an earlier one. */
export interface Repeat {
  /** Index of the row in the batch. */
  readonly index: number;
  /** Whether every column equals the stored row's: then it is a duplicate, else a conflict. */
  readonly isEqual: boolean;
}

export interface InsertResult {
  readonly inserted: number;
  readonly repeats: readonly Repeat[];
  readonly rejections: readonly Rejection[];
}

/**
 * Statements for one table, made once. The stage is a temporary table of the session with the
 * target's own column types, emptied by each commit, and between the batches of one transaction.
 */
export class StagedInsert {
  readonly #create: string;
  readonly #empty: string;
  readonly #copy: string;
  readonly #copyKey: string;
  readonly #keyPlaces: readonly number[];
  readonly #insert: string;
  readonly #repeatsWithin: string;
  readonly #compare: string;
  /** Whose stage may hold the rows of an earlier batch. */
  readonly #begun = new WeakSet<SqlTransaction>();

  /** @param stageName name of the temporary table; one for each writing step. */
  constructor(table: StagedTable, stageName: string) {
    const target = quoteTable(table.table);
    const stage = quoteIdentifier(stageName);
    const columns = table.columns.map(quoteIdentifier);
    const key = table.conflictKey.map(quoteIdentifier);
    const list = columns.join(", ");
    const keyList = key.join(", ");
    const same = (a: string, b: string) =>
      key.map((column) => `${a}.${column} = ${b}.${column}`).join(" and ");
    const of = (alias: string) => columns.map((column) => `${alias}.${column}`).join(", ");
    this.#create = `create temporary table if not exists ${stage} on commit delete rows
      as select 0::integer as row_index, ${list} from ${target} limit 0`;
    this.#empty = `truncate ${stage}`;
    this.#copy = `copy ${stage} (row_index, ${list}) from stdin`;
    this.#copyKey = `copy ${stage} (row_index, ${keyList}) from stdin`;
    this.#keyPlaces = table.conflictKey.map((column) => table.columns.indexOf(column));
    // A table has no order: a short row may fill the gap that is left in a page long before it. In order, as the
    // rows nearly are, sorting costs next to nothing.
    // Only rows that INSERT did not return are looked at again: a join of all would cost 17 to 40 %.
    this.#insert = `with inserted as (
        insert into ${target} (${list}) select ${list} from ${stage} order by row_index
        on conflict (${keyList}) do nothing returning ${keyList})
      select -1 as row_index, count(*)::integer as rows from inserted
      union all
      select row_index, 0 from ${stage} s
      where not exists (select from inserted i where ${same("i", "s")})`;
    // Hashing all keys and looking at the few that come twice takes half the time of numbering the rows of each.
    this.#repeatsWithin = `select s.row_index
      from ${stage} s join (
        select ${keyList}, min(row_index) as first from ${stage} group by ${keyList} having count(*) > 1
      ) r on ${same("r", "s")} and s.row_index > r.first
      where s.row_index <> all($1::integer[])`;
    // "offset 0" keeps this a look-up of each row by its key: the planner knows nothing of a fresh stage,
    // and for a join it would read the whole target.
    this.#compare = `select s.row_index, (${of("s")}) is not distinct from (${of("t")}) as is_equal
      from ${stage} s cross join lateral (select * from ${target} t where ${same("t", "s")} offset 0) t
      where s.row_index = any($1::integer[])`;
  }

  /**
   * Inserts the rows, in order: of several rows with one key the first that PostgreSQL accepts wins.
   * Rows that it rejects are found by halving and left out; the rest is inserted all the same. A row
   * whose key is taken is a repeat, whatever else it holds: also where PostgreSQL, which looks at checks
   * and triggers first, would reject it.
   * @throws any error that is not about what a row holds; the transaction must then be rolled back.
   */
  async insert(transaction: SqlTransaction, rows: CopyRows): Promise<InsertResult> {
    await transaction.execute(this.#create);
    if (this.#begun.has(transaction)) await transaction.execute(this.#empty);
    this.#begun.add(transaction);
    const result = { inserted: 0, repeats: [] as Repeat[], rejections: [] as Rejection[] };
    const range = { rows, from: 0, to: rows.length };
    await writeByHalves(transaction, range, {
      write: async (part) => {
        const missing = await this.#insertAll(transaction, part);
        const repeats = missing.length === 0 ? [] : await this.#classify(transaction, missing);
        return () => {
          result.inserted += part.to - part.from - missing.length;
          result.repeats.push(...repeats);
        };
      },
      refuse: async (rejection) => {
        const repeat = await this.#findRepeat(transaction, rows, rejection.index);
        if (repeat !== undefined) result.repeats.push(repeat);
        else result.rejections.push(rejection);
      },
      empty: this.#empty,
    });
    return result;
  }

  /** Returns the indexes of the rows that were not inserted, because their key was taken. */
  async #insertAll(transaction: SqlTransaction, { rows, from, to }: RowRange): Promise<number[]> {
    await transaction.copy(this.#copy, rows.chunks(from, to));
    const answer = await transaction.query<{ row_index: number; rows: number }>(this.#insert);
    let inserted = 0;
    const missing: number[] = [];
    for (const row of answer) {
      if (row.row_index === -1) inserted = row.rows;
      else missing.push(row.row_index);
    }
    if (inserted + missing.length < to - from) {
      const within = await transaction.query<{ row_index: number }>(this.#repeatsWithin, [missing]);
      for (const row of within) missing.push(row.row_index);
    }
    if (inserted + missing.length !== to - from) {
      throw new Error(`of ${to - from} staged rows ${inserted} were inserted and ${missing.length} were not`);
    }
    return missing;
  }

  /** A rejected row as a repeat, if its key is taken; a value that its column cannot hold makes it unequal. */
  async #findRepeat(transaction: SqlTransaction, rows: CopyRows, index: number): Promise<Repeat | undefined> {
    const row = Buffer.concat([...rows.chunks(index, index + 1)]);
    const fields = row.toString("utf8").slice(0, -1).split("\t").slice(1);
    const key = this.#keyPlaces.map((place) => fields[place]).join("\t");
    for (const [copy, bytes] of [
      [this.#copy, row],
      [this.#copyKey, Buffer.from(`${index}\t${key}\n`)],
    ] as const) {
      await transaction.execute("savepoint repeat");
      try {
        await transaction.copy(copy, [bytes]);
        const [stored] = await transaction.query<{ is_equal: boolean }>(this.#compare, [[index]]);
        return stored && { index, isEqual: stored.is_equal };
      } catch (error) {
        if (classify(error) !== "reject-row") throw error;
      } finally {
        await transaction.execute("rollback to savepoint repeat; release savepoint repeat");
      }
    }
    return undefined;
  }

  async #classify(transaction: SqlTransaction, missing: readonly number[]): Promise<Repeat[]> {
    const rows = await transaction.query<{ row_index: number; is_equal: boolean }>(this.#compare, [missing]);
    if (rows.length !== missing.length) {
      throw new Error(`of ${missing.length} rows whose key was taken ${rows.length} have a stored row`);
    }
    return rows.map((row) => ({ index: row.row_index, isEqual: row.is_equal }));
  }
}
