/** What the database knows of every pipeline: the document of `status --json`. */
import type { SqlQueries } from "./sql-session.js";

/** Always read = written + duplicates + conflicts + the sum of dead letters, in the whole and file by file. */
export interface StatusCounts {
  readonly records_read: number;
  readonly events_written: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** By reason. */
  readonly dead_letters: Readonly<Record<string, number>>;
}

export interface FileStatus extends StatusCounts {
  /** Relative to the watched directory. */
  readonly path: string;
  readonly generation: number;
  readonly state: string;
  /** How far it was read, in bytes of the inflated file. */
  readonly byte_offset: number;
}

/** Named as in the document, which is one of these a pipeline. */
export interface PipelineStatus extends StatusCounts {
  readonly pipeline: string;
  /** Of the process that holds the pipeline, on its own host; null when none does. */
  readonly pid: number | null;
  readonly files_read: number;
  readonly epoch: number;
  /** In UTC, ISO 8601 with microseconds; null before the first commit. */
  readonly last_commit_at: string | null;
  /** In the order they were found. */
  readonly files: readonly FileStatus[];
}

/** All pipelines by name, as of one moment; none where the tables are not there yet. */
export async function readStatus(queries: SqlQueries): Promise<PipelineStatus[]> {
  const [tables] = await queries.query<{ exist: boolean }>(
    "select to_regclass('pipelines') is not null and to_regclass('ledger') is not null as exist",
  );
  if (!tables?.exist) return [];
  const rows = await queries.query<StoredStatus>(STATUS);
  return rows.map(({ dead_letters, files, ...row }) => ({
    pipeline: row.pipeline,
    pid: row.pid,
    files_read: files.length,
    records_read: row.records_read,
    events_written: row.events_written,
    duplicates: row.duplicates,
    conflicts: row.conflicts,
    dead_letters: sumByReason(dead_letters),
    epoch: row.epoch,
    last_commit_at: row.last_commit_at,
    files,
  }));
}

type StoredStatus = Omit<PipelineStatus, "dead_letters" | "files_read"> & {
  /** One a shard. */
  dead_letters: Record<string, number>[];
};

// One statement, hence one snapshot. A runner holds the advisory lock of its pipeline and shard for as long
// as its connection lives; pg_locks shows the key's halves as classid and objid.
const STATUS = `
select
  pipeline,
  max(holder_pid) filter (where (
    select count(*) from pg_locks
    where locktype = 'advisory' and objsubid = 1 and granted
      and database = (select oid from pg_database where datname = current_database())
      and (classid::bigint << 32 | objid::bigint)
        = hashtextextended('millrace:' || pipeline || ':' || shard, 0)
  ) > 0) as pid,
  sum(records_read)::bigint as records_read,
  sum(events_written)::bigint as events_written,
  sum(duplicates)::bigint as duplicates,
  sum(conflicts)::bigint as conflicts,
  jsonb_agg(dead_letters) as dead_letters,
  max(epoch) as epoch,
  to_char(max(last_commit_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as last_commit_at,
  (
    select coalesce(json_agg(json_build_object(
      'path', path,
      'generation', generation,
      'state', state,
      'byte_offset', byte_offset,
      'records_read', coalesce(records_read, 0),
      'events_written', coalesce(events_written, 0),
      'duplicates', coalesce(duplicates, 0),
      'conflicts', coalesce(conflicts, 0),
      'dead_letters', coalesce(dead_letters, '{}')
    ) order by file_id), '[]')
    from source_files
    left join ledger using (pipeline, file_id)
    where source_files.pipeline = pipelines.pipeline
  ) as files
from pipelines
group by pipeline
order by pipeline`;

function sumByReason(shards: readonly Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const shard of shards) {
    for (const [reason, count] of Object.entries(shard)) sums[reason] = (sums[reason] ?? 0) + count;
  }
  return sums;
}
