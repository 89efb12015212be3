/** The tables `savepoints`, `savepoint_files` and `savepoint_chunks`: where a pipeline was, copied within the database. */
import type { LetterCount } from "./dead-letters.js";
import type { PipelineKey } from "./pipelines.js";
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

export interface SavepointRow {
  readonly pipeline: string;
  readonly name: string;
  readonly run_id: string;
  readonly epoch: number;
  readonly records_read: number;
  readonly events_written: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly dead_letters: Readonly<Record<string, number>>;
  readonly watermark_ms: number | null;
  readonly state_shape: unknown;
  readonly created_ms: number;
  readonly created_by: string;
  readonly files: number;
  readonly state_bytes: number;
}

/** A file of which bytes would have to be read again that are no longer in the directory. */
export interface LostFile {
  readonly path: string;
  readonly state: string;
}

const SELECT = `
select s.pipeline, s.name, s.run_id, s.epoch, s.records_read, s.events_written, s.duplicates, s.conflicts,
  s.dead_letters, (extract(epoch from s.watermark) * 1000)::bigint as watermark_ms, s.state_shape,
  (extract(epoch from s.created_at) * 1000)::bigint as created_ms, s.created_by,
  (select count(*)::integer from savepoint_files f where f.pipeline = s.pipeline and f.name = s.name) as files,
  (select coalesce(sum(octet_length(c.bytes)), 0)::bigint from savepoint_chunks c
    where c.pipeline = s.pipeline and c.name = s.name) as state_bytes
from savepoints s`;

/**
 * Copies where the pipeline is, all of one commit: in a transaction that sees one state of the database (repeatable
 * read). Whoever runs the pipeline is not held up.
 * @returns false when it has committed nothing
 * @throws 23505 when the name is taken
 */
export async function insertSavepoint(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
  name: string,
  by: string,
): Promise<boolean> {
  const at = [pipeline, shard, name];
  const rows = await transaction.execute(
    `insert into savepoints (pipeline, shard, name, created_by, run_id, epoch, records_read, events_written,
       duplicates, conflicts, dead_letters, watermark, state_shape)
     select pipeline, shard, $3, $4, run_id, epoch, records_read, events_written, duplicates, conflicts, dead_letters,
       watermark, state_shape
     from pipelines where pipeline = $1 and shard = $2 and epoch > 0`,
    [...at, by],
  );
  if (rows === 0) return false;
  await transaction.execute(
    `insert into savepoint_files (pipeline, name, file_id, position)
     select f.pipeline, $2, f.file_id, to_jsonb(f) from source_files f where f.pipeline = $1`,
    [pipeline, name],
  );
  await transaction.execute(
    `insert into savepoint_chunks (pipeline, name, is_snapshot, epoch, chunk, bytes)
     select pipeline, $3, true, epoch, chunk, bytes from state_snapshots where pipeline = $1 and shard = $2
       and epoch in (select epoch from state_snapshots where pipeline = $1 and shard = $2 and chunk = 0)
     union all
     select pipeline, $3, false, epoch, chunk, bytes from state_deltas where pipeline = $1 and shard = $2`,
    at,
  );
  return true;
}

/** Newest first. */
export function listSavepoints(queries: SqlQueries, pipeline: string): Promise<SavepointRow[]> {
  return queries.query(`${SELECT} where s.pipeline = $1 order by s.created_at desc, s.name`, [pipeline]);
}

export async function findSavepoint(
  queries: SqlQueries,
  pipeline: string,
  name: string,
): Promise<SavepointRow | undefined> {
  const [row] = await queries.query<SavepointRow>(`${SELECT} where s.pipeline = $1 and s.name = $2`, [
    pipeline,
    name,
  ]);
  return row;
}

/** The last one from before this time. */
export async function lastSavepointBefore(
  queries: SqlQueries,
  pipeline: string,
  beforeMs: number,
): Promise<SavepointRow | undefined> {
  const [row] = await queries.query<SavepointRow>(
    `${SELECT} where s.pipeline = $1 and s.created_at < to_timestamp($2::double precision / 1000)
     order by s.created_at desc, s.name limit 1`,
    [pipeline, beforeMs],
  );
  return row;
}

/** @returns false when there is none of this name */
export async function deleteSavepoint(queries: SqlQueries, pipeline: string, name: string): Promise<boolean> {
  const rows = await queries.query(
    "delete from savepoints where pipeline = $1 and name = $2 returning name",
    [pipeline, name],
  );
  return rows.length > 0;
}

/** Rows of one epoch's state, in their order. */
export interface SavepointState {
  readonly epoch: number;
  readonly chunks: readonly Buffer[];
}

/** The state in it: a snapshot, if there is one, and the deltas behind it in order. */
export async function readSavepointState(
  queries: SqlQueries,
  pipeline: string,
  name: string,
): Promise<readonly SavepointState[]> {
  const rows = await queries.query<{ epoch: number; is_snapshot: boolean; bytes: Buffer }>(
    `select epoch, is_snapshot, bytes from savepoint_chunks c where pipeline = $1 and name = $2 and
       (is_snapshot or epoch > coalesce((select max(epoch) from savepoint_chunks s
          where s.pipeline = c.pipeline and s.name = c.name and is_snapshot), 0))
     order by is_snapshot desc, epoch, chunk`,
    [pipeline, name],
  );
  const states: { readonly epoch: number; readonly isSnapshot: boolean; readonly chunks: Buffer[] }[] = [];
  for (const { epoch, is_snapshot: isSnapshot, bytes } of rows) {
    const last = states.at(-1);
    if (last?.epoch === epoch && last.isSnapshot === isSnapshot) last.chunks.push(bytes);
    else states.push({ epoch, isSnapshot, chunks: [bytes] });
  }
  return states;
}

/** A file is behind the savepoint when more of it was read since. */
const BEHIND = `
f.pipeline = $1 and f.byte_offset > 0 and (s.position is null or f.generation > (s.position->>'generation')::integer
  or f.byte_offset > (s.position->>'byte_offset')::bigint)`;
const OF_SAVEPOINT =
  "left join savepoint_files s on s.pipeline = f.pipeline and s.name = $2 and s.file_id = f.file_id";

/** Files that would be read again, and are gone. */
export function filesLostSince(queries: SqlQueries, pipeline: string, name: string): Promise<LostFile[]> {
  return queries.query(
    `select f.path, f.state from source_files f ${OF_SAVEPOINT}
     where ${BEHIND} and f.state in ('archived', 'deleted', 'missing', 'replaced') order by f.path, f.file_id`,
    [pipeline, name],
  );
}

/**
 * Puts the positions of the files back to what they were; what has come since is read from its beginning. Where
 * files are and what they are called stays as it is known now.
 */
export async function restorePositions(
  transaction: SqlTransaction,
  pipeline: string,
  name: string,
): Promise<void> {
  await transaction.execute(
    `update source_files f set byte_offset = coalesce(was.byte_offset, 0), line = coalesce(was.line, 1),
       header = was.header, raw_offset = coalesce(was.raw_offset, 0), head_hash = coalesce(was.head_hash, ''),
       tail_hash = coalesce(was.tail_hash, ''), state = 'reading', ended_at_byte = was.ended_at_byte,
       ended_at_line = was.ended_at_line, updated_at = now()
     from source_files o ${OF_SAVEPOINT.replaceAll("f.", "o.")}
     left join lateral jsonb_populate_record(null::source_files, s.position) was on was.generation = o.generation
     where o.file_id = f.file_id and ${BEHIND}`,
    [pipeline, name],
  );
}

/**
 * Takes away the dead letters of later epochs, which will be found again.
 * @returns what is to be taken off the counts: those that had not become anything else
 */
export async function forgetLettersAfter(
  transaction: SqlTransaction,
  pipeline: string,
  epoch: number,
): Promise<LetterCount[]> {
  const rows = await transaction.query<{ file_id: number; reason: string; count: number }>(
    `with gone as (
       delete from dead_letters where pipeline = $1 and epoch > $2 returning file_id, reason, retry_outcome)
     select file_id, reason, count(*)::integer as count from gone
     where retry_outcome is null or retry_outcome = 'rejected' group by file_id, reason order by file_id, reason`,
    [pipeline, epoch],
  );
  return rows.map(({ file_id: fileId, reason, count }) => ({ fileId, reason, count }));
}
