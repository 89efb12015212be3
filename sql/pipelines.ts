/** The row of a pipeline: who runs it, which epoch is committed, what was counted since the first. */
import type { RecordCounts } from "./ledger.js";
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

export interface PipelineKey {
  readonly pipeline: string;
  readonly shard: number;
}

/** The process that runs a pipeline, for whoever finds it locked. */
export interface Holder {
  readonly host: string;
  readonly pid: number;
  readonly startedAtMs: number;
}

/** What a run starts from. */
export interface RunStart {
  /** Epochs committed so far; the next one is this plus 1. */
  readonly epoch: number;
  /** Since the pipeline's first commit. */
  readonly totals: RecordCounts;
  readonly watermarkMs: number | null;
}

/** SQL of the key that the runner of a pipeline holds as an advisory lock on its session. */
const LOCK_KEY = "hashtextextended('millrace:' || $1::text || ':' || $2::text, 0)";

/** Tries to become the pipeline's only runner, for as long as this session lives. */
export async function tryLockPipeline(queries: SqlQueries, key: PipelineKey): Promise<boolean> {
  const rows = await queries.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${LOCK_KEY}) as locked`,
    [key.pipeline, key.shard],
  );
  return rows[0]?.locked === true;
}

/** Whether the pipeline has ever run on this database. */
export async function isKnown(queries: SqlQueries, pipeline: string): Promise<boolean> {
  return (await queries.query("select from pipelines where pipeline = $1 limit 1", [pipeline])).length > 0;
}

/** What a session calls itself that holds a pipeline for a run on a job server. */
export const JOB_SERVER_CLIENT = "millrace/job-server-client";

/** What the session calls itself that runs the pipeline now, in any shard; undefined when nobody does. */
export async function readHolderName(queries: SqlQueries, pipeline: string): Promise<string | undefined> {
  const rows = await queries.query<{ name: string | null }>(
    `select a.application_name as name from pipelines p
     join lateral (select hashtextextended('millrace:' || p.pipeline || ':' || p.shard, 0) as key) k on true
     join pg_locks l on l.locktype = 'advisory' and l.granted and l.objsubid = 1
       and l.database = (select oid from pg_database where datname = current_database())
       and l.classid::bigint = (k.key >> 32) & 4294967295 and l.objid::bigint = k.key & 4294967295
     left join pg_stat_activity a on a.pid = l.pid
     where p.pipeline = $1 limit 1`,
    [pipeline],
  );
  // of another account's session the name is not told
  return rows.length === 0 ? undefined : (rows[0]!.name ?? "");
}

/** Who holds the lock: the backend, and the process as it introduced itself, if it did already. */
export interface LockHolder {
  readonly backendPid: number;
  readonly backendStart: string;
  readonly clientAddress: string | null;
  readonly holder: Holder | undefined;
}

export async function readLockHolder(queries: SqlQueries, key: PipelineKey): Promise<LockHolder | undefined> {
  const rows = await queries.query<{
    pid: number;
    backend_start: string;
    client_addr: string | null;
    holder_host: string | null;
    holder_pid: number | null;
    started_ms: number | null;
  }>(
    `with lock_key as (select ${LOCK_KEY} as key)
     select a.pid, a.backend_start::text, host(a.client_addr) as client_addr, p.holder_host, p.holder_pid,
       (extract(epoch from p.holder_started_at) * 1000)::bigint as started_ms
     from lock_key
     join pg_locks l on l.locktype = 'advisory' and l.granted and l.objsubid = 1
       and l.database = (select oid from pg_database where datname = current_database())
       and l.classid::bigint = (lock_key.key >> 32) & 4294967295 and l.objid::bigint = lock_key.key & 4294967295
     join pg_stat_activity a on a.pid = l.pid
     left join pipelines p on p.pipeline = $1::text and p.shard = $2::text::integer and p.holder_backend_pid = l.pid`,
    [key.pipeline, key.shard],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { holder_host: host, holder_pid: pid, started_ms: startedAtMs } = row;
  return {
    backendPid: row.pid,
    backendStart: row.backend_start,
    clientAddress: row.client_addr,
    holder: host === null || pid === null || startedAtMs === null ? undefined : { host, pid, startedAtMs },
  };
}

/** Whether one of these is still the pipeline's run. */
export async function isRun(
  queries: SqlQueries,
  key: PipelineKey,
  runIds: readonly string[],
): Promise<boolean> {
  const rows = await queries.query(
    "select from pipelines where pipeline = $1 and shard = $2 and run_id = any($3::uuid[])",
    [key.pipeline, key.shard, runIds],
  );
  return rows.length === 1;
}

/** The pipeline's run, of which there is none before the first one. Whoever holds the lock gets no other answer later. */
export async function lastRunId(queries: SqlQueries, key: PipelineKey): Promise<string | undefined> {
  const rows = await queries.query<{ run_id: string }>(
    "select run_id from pipelines where pipeline = $1 and shard = $2",
    [key.pipeline, key.shard],
  );
  return rows[0]?.run_id;
}

/** Ends another session; its open transaction is rolled back. */
export async function terminateBackend(queries: SqlQueries, backendPid: number): Promise<void> {
  await queries.query("select pg_terminate_backend($1)", [backendPid]);
}

/**
 * Makes `runId` the pipeline's run, creating the pipeline at first. Waits for a transaction in which
 * an orphaned backend of an earlier run may still be, fences that run, and tells how it ended: a
 * plain read could say 7 while the orphan goes on to commit 8.
 * @param after the runs that this process has taken before, or may have; undefined to take over from whoever it was.
 * @returns undefined when another run than these has taken over.
 */
export async function takeRun(
  queries: SqlQueries,
  key: PipelineKey,
  run: { readonly runId: string; readonly holder: Holder; readonly after: readonly string[] | undefined },
): Promise<RunStart | undefined> {
  const { host, pid, startedAtMs } = run.holder;
  const rows = await queries.query<RunRow>(
    `insert into pipelines as p
       (pipeline, shard, run_id, holder_host, holder_pid, holder_started_at, holder_backend_pid)
     values ($1, $2, $3, $4, $5, to_timestamp($6::double precision / 1000), pg_backend_pid())
     on conflict (pipeline, shard) do update set run_id = excluded.run_id, holder_host = excluded.holder_host,
       holder_pid = excluded.holder_pid, holder_started_at = excluded.holder_started_at,
       holder_backend_pid = excluded.holder_backend_pid
     where $7::uuid[] is null or p.run_id = any($7::uuid[])
     returning epoch, records_read, events_written, duplicates, conflicts, dead_letters,
       (extract(epoch from watermark) * 1000)::bigint as watermark_ms`,
    [key.pipeline, key.shard, run.runId, host, pid, startedAtMs, run.after ?? null],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    epoch: row.epoch,
    totals: {
      recordsRead: row.records_read,
      eventsWritten: row.events_written,
      duplicates: row.duplicates,
      conflicts: row.conflicts,
      deadLetters: row.dead_letters,
    },
    watermarkMs: row.watermark_ms,
  };
}

interface RunRow {
  epoch: number;
  records_read: number;
  events_written: number;
  duplicates: number;
  conflicts: number;
  dead_letters: Record<string, number>;
  watermark_ms: number | null;
}

/** Asks the run's sources to hand out nothing more. */
export async function askToDrain(queries: SqlQueries, key: PipelineKey, runId: string): Promise<void> {
  await queries.query(
    "update pipelines set draining_run_id = run_id where pipeline = $1 and shard = $2 and run_id = $3",
    [key.pipeline, key.shard, runId],
  );
}

/** What a run's sources ask for now and then. */
export interface RunSigns {
  /** Whether they were asked to hand out nothing more. */
  readonly isDraining: boolean;
  /** One more with each checkpoint. */
  readonly pulse: number;
}

/** Undefined when another run has the pipeline. */
export async function readSigns(
  queries: SqlQueries,
  key: PipelineKey,
  runId: string,
): Promise<RunSigns | undefined> {
  const rows = await queries.query<{ is_draining: boolean; pulse: number }>(
    `select draining_run_id is not distinct from run_id as is_draining, pulse from pipelines
     where pipeline = $1 and shard = $2 and run_id = $3`,
    [key.pipeline, key.shard, runId],
  );
  const [row] = rows;
  return row === undefined ? undefined : { isDraining: row.is_draining, pulse: row.pulse };
}

/** Of a checkpoint that is complete: the pulse is at least `pulse` from now on, if the run still has the pipeline. */
export async function beat(
  queries: SqlQueries,
  key: PipelineKey,
  runId: string,
  pulse: number,
): Promise<void> {
  await queries.query(
    "update pipelines set pulse = $4 where pipeline = $1 and shard = $2 and run_id = $3 and pulse < $4",
    [key.pipeline, key.shard, runId, pulse],
  );
}

/**
 * Locks the pipeline's row for the transaction, so that who takes over waits for its end.
 * @returns false when the run is fenced: another run_id, or another epoch, is there.
 */
export async function holdEpoch(
  transaction: SqlTransaction,
  key: PipelineKey,
  at: { readonly runId: string; readonly epoch: number },
): Promise<boolean> {
  const rows = await transaction.query(
    "select from pipelines where pipeline = $1 and shard = $2 and run_id = $3 and epoch = $4 for update",
    [key.pipeline, key.shard, at.runId, at.epoch],
  );
  return rows.length === 1;
}

/** SQL of the key that workers of a job server share while they write, and that nobody holds while an epoch is closed. */
const EPOCH_KEY = "hashtextextended('millrace:epoch:' || $1::text || ':' || $2::text, 0)";

/**
 * Keeps the pipeline at its run and epoch until the end of a worker's transaction, beside others that do the same.
 * @returns the last committed epoch; undefined when the run is fenced.
 */
export async function joinEpoch(
  transaction: SqlTransaction,
  key: PipelineKey,
  runId: string,
): Promise<number | undefined> {
  await transaction.query(`select pg_advisory_xact_lock_shared(${EPOCH_KEY})`, [key.pipeline, key.shard]);
  // a statement of its own, so that it sees what was committed while the lock was waited for
  return committedEpoch(transaction, key, runId);
}

/** The last committed epoch of a run; undefined when another run has the pipeline. */
export async function committedEpoch(
  queries: SqlQueries,
  key: PipelineKey,
  runId: string,
): Promise<number | undefined> {
  const rows = await queries.query<{ epoch: number }>(
    "select epoch from pipelines where pipeline = $1 and shard = $2 and run_id = $3",
    [key.pipeline, key.shard, runId],
  );
  return rows[0]?.epoch;
}

/**
 * Waits until no worker has a transaction open, and keeps new ones out until this transaction's end. Who waits is next:
 * workers that come later wait behind it.
 */
export async function shutEpoch(transaction: SqlTransaction, key: PipelineKey): Promise<void> {
  await transaction.query(`select pg_advisory_xact_lock(${EPOCH_KEY})`, [key.pipeline, key.shard]);
}

/** Moves from `epoch` to the next one. @returns false when the run is fenced. */
export async function advanceEpoch(
  transaction: SqlTransaction,
  key: PipelineKey,
  at: { readonly runId: string; readonly epoch: number },
  after: { readonly totals: RecordCounts; readonly watermarkMs: number | null },
): Promise<boolean> {
  const { totals, watermarkMs } = after;
  const moved = await transaction.execute(
    `update pipelines set epoch = epoch + 1, records_read = $5, events_written = $6, duplicates = $7,
       conflicts = $8, dead_letters = $9, watermark = to_timestamp($10::double precision / 1000),
       last_commit_at = clock_timestamp()
     where pipeline = $1 and shard = $2 and run_id = $3 and epoch = $4`,
    [
      key.pipeline,
      key.shard,
      at.runId,
      at.epoch,
      totals.recordsRead,
      totals.eventsWritten,
      totals.duplicates,
      totals.conflicts,
      JSON.stringify(totals.deadLetters),
      watermarkMs,
    ],
  );
  return moved === 1;
}
