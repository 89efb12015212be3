/** The table `commits`: one row an epoch, by which a commit whose answer was lost is recognised. */
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** A commit is identified by `runId` and `epoch`, never by the epoch alone. Counts are the epoch's own. */
export interface CommitRow {
  readonly pipeline: string;
  readonly shard: number;
  readonly epoch: number;
  readonly runId: string;
  readonly recordsRead: number;
  readonly eventsWritten: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** All reasons together; less than nothing where more letters became something else than came. */
  readonly deadLetters: number;
}

/** Inserts the row in the epoch's transaction. An epoch committed twice is a bug, and a unique violation (23505). */
export async function insertCommit(transaction: SqlTransaction, commit: CommitRow): Promise<void> {
  await transaction.execute(
    `insert into commits (
      pipeline, shard, epoch, run_id, records_read, events_written, duplicates, conflicts, dead_letters
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      commit.pipeline,
      commit.shard,
      commit.epoch,
      commit.runId,
      commit.recordsRead,
      commit.eventsWritten,
      commit.duplicates,
      commit.conflicts,
      commit.deadLetters,
    ],
  );
}

/** Keeps a shard's last `keep` epochs. Resolves to the number of rows that went. */
export async function pruneCommits(
  transaction: SqlTransaction,
  pipeline: string,
  shard: number,
  keep: number,
): Promise<number> {
  if (!Number.isSafeInteger(keep) || keep < 1)
    throw new RangeError(`\`keep\` must be at least 1, got ${keep}`);
  return transaction.execute(
    `delete from commits
    where pipeline = $1
      and shard = $2
      and epoch <= (select max(epoch) from commits where pipeline = $1 and shard = $2) - $3::bigint`,
    [pipeline, shard, keep],
  );
}

/** Whether this run committed this epoch: the question after an answer to COMMIT was lost. */
export async function isCommitted(
  queries: SqlQueries,
  pipeline: string,
  epoch: number,
  runId: string,
): Promise<boolean> {
  const rows = await queries.query("select from commits where pipeline = $1 and epoch = $2 and run_id = $3", [
    pipeline,
    epoch,
    runId,
  ]);
  return rows.length > 0;
}

/** Which run committed this epoch; undefined when nobody did, or its row has been pruned. */
export async function runOfCommit(
  queries: SqlQueries,
  pipeline: string,
  epoch: number,
): Promise<string | undefined> {
  const rows = await queries.query<{ run_id: string }>(
    "select run_id from commits where pipeline = $1 and epoch = $2",
    [pipeline, epoch],
  );
  return rows[0]?.run_id;
}
