/** The table `batch_history`: the latest epochs of a pipeline in full, for whoever looks back. */
import type { RecordCounts } from "./ledger.js";
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** Times are ms since 1970. */
export interface BatchRow extends RecordCounts {
  readonly epoch: number;
  readonly runId: string;
  readonly startedAtMs: number;
  readonly committedAtMs: number;
  /** JSON; null where only the counts are known. */
  readonly detail: unknown;
}

export interface BatchRowWithSources extends BatchRow {
  readonly sources: unknown;
}

/**
 * Inserts them; an epoch that is there already stays as it is. One that the database does not have is left out: a
 * standby that was behind has lost it, and another of its number comes.
 */
export async function insertBatches(
  queries: SqlTransaction,
  pipeline: string,
  batches: readonly BatchRowWithSources[],
): Promise<void> {
  if (batches.length > 0) await queries.execute(INSERT, [pipeline, JSON.stringify(batches)]);
}

const INSERT = `
insert into batch_history (
  pipeline, epoch, run_id, started_at, committed_at, records_read, events_written, duplicates, conflicts,
  dead_letters, detail, sources
)
select $1, epoch, "runId", to_timestamp("startedAtMs" / 1000), to_timestamp("committedAtMs" / 1000), "recordsRead",
  "eventsWritten", duplicates, conflicts, "deadLetters", nullif(detail, 'null'), sources
from jsonb_to_recordset($2::jsonb) as given(
  epoch bigint, "runId" uuid, "startedAtMs" double precision, "committedAtMs" double precision,
  "recordsRead" bigint, "eventsWritten" bigint, duplicates bigint, conflicts bigint, "deadLetters" jsonb,
  detail jsonb, sources jsonb
)
where exists (
  select from commits c
  where c.pipeline = $1 and c.shard = 0 and c.epoch = given.epoch and c.run_id = given."runId"
)
on conflict do nothing`;

/**
 * Fills up what a killed process has not written of earlier runs, as far as the database knows it: counts and time of
 * `commits`, and the reasons of the dead letters that came in an epoch, less those that a retry in it took back.
 * Letters that were deleted since stand under the reason `unknown`.
 */
export async function fillUpBatches(queries: SqlTransaction, pipeline: string, keep: number): Promise<void> {
  const [missing] = await queries.query<{ epochs: number }>(
    `select count(*) as epochs from commits where ${MISSING}`,
    [pipeline, keep],
  );
  if (missing!.epochs > 0) await queries.execute(FILL_UP, [pipeline, keep]);
}

const MISSING = `pipeline = $1 and shard = 0
  and run_id <> (select run_id from pipelines where pipeline = $1 and shard = 0)
  and epoch > (select coalesce(max(epoch), 0) from commits where pipeline = $1 and shard = 0) - $2::bigint
  and not exists (select from batch_history b where b.pipeline = commits.pipeline and b.epoch = commits.epoch)`;

const FILL_UP = `
with missing as materialized (select * from commits where ${MISSING}),
moves as (
  select epoch, reason, count(*) as letters
  from dead_letters where pipeline = $1 and epoch in (select epoch from missing) group by epoch, reason
  union all
  select retried_epoch, reason, -count(*)
  from dead_letters
  where pipeline = $1 and retry_outcome in ('written', 'duplicate', 'conflict')
    and retried_epoch in (select epoch from missing)
  group by retried_epoch, reason
),
known as (
  select epoch, reason, sum(letters) as letters from moves group by epoch, reason having sum(letters) <> 0
),
by_reason as (
  select epoch, reason, letters from known
  union all
  select epoch, 'unknown', dead_letters - coalesce((select sum(letters) from known where known.epoch = missing.epoch), 0)
  from missing
)
insert into batch_history (
  pipeline, epoch, run_id, started_at, committed_at, records_read, events_written, duplicates, conflicts, dead_letters
)
select pipeline, epoch, run_id, committed_at, committed_at, records_read, events_written, duplicates, conflicts,
  coalesce(
    (select jsonb_object_agg(reason, letters) from by_reason
     where by_reason.epoch = missing.epoch and letters <> 0),
    '{}'
  )
from missing
on conflict do nothing`;

/** Keeps the last `keep` epochs. */
export async function pruneBatches(queries: SqlTransaction, pipeline: string, keep: number): Promise<number> {
  return queries.execute(
    `delete from batch_history where pipeline = $1
      and epoch <= (select max(epoch) from batch_history where pipeline = $1) - $2::bigint`,
    [pipeline, keep],
  );
}

const COLUMNS = `epoch, run_id as "runId", extract(epoch from started_at)::double precision * 1000 as "startedAtMs",
  extract(epoch from committed_at)::double precision * 1000 as "committedAtMs", records_read as "recordsRead",
  events_written as "eventsWritten", duplicates, conflicts, dead_letters as "deadLetters", detail`;

/** The newest first, before an epoch if one is given. */
export async function readBatches(
  queries: SqlQueries,
  pipeline: string,
  { before, limit }: { readonly before: number | undefined; readonly limit: number },
): Promise<BatchRow[]> {
  const rows = await queries.query<BatchRow>(
    `select ${COLUMNS} from batch_history where pipeline = $1 and ($2::bigint is null or epoch < $2)
     order by epoch desc limit $3`,
    [pipeline, before ?? null, limit],
  );
  return rows.map(numbered);
}

export async function readBatch(
  queries: SqlQueries,
  pipeline: string,
  epoch: number,
): Promise<BatchRowWithSources | undefined> {
  const [row] = await queries.query<BatchRowWithSources>(
    `select ${COLUMNS}, sources from batch_history where pipeline = $1 and epoch = $2`,
    [pipeline, epoch],
  );
  return row === undefined ? undefined : numbered(row);
}

/** The session gives doubles as text. */
function numbered<Row extends BatchRow>(row: Row): Row {
  return {
    ...row,
    startedAtMs: Math.round(Number(row.startedAtMs)),
    committedAtMs: Math.round(Number(row.committedAtMs)),
  };
}
