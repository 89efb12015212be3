/** The rows of source_files: how far each file of a watched directory was read. */
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** A row of source_files, as written and read. Numbers are safe integers. */
export interface SourcePositionRow {
  readonly file_id: number;
  readonly path: string;
  readonly generation: number;
  readonly inode: string;
  readonly byte_offset: number;
  readonly line: number;
  readonly header: readonly string[] | null;
  readonly raw_offset: number;
  readonly head_hash: string | null;
  readonly tail_hash: string | null;
  readonly size: number;
  /** Decimal text: more than a JavaScript number holds. */
  readonly mtime_ns: string;
  readonly state: string;
  readonly ended_at_byte: number | null;
  readonly ended_at_line: number | null;
}

const COLUMNS = `file_id, path, generation, inode, byte_offset, line, header, raw_offset, head_hash, tail_hash,
  size, mtime_ns, state, ended_at_byte, ended_at_line`;
const IN_DIRECTORY = "state not in ('archived', 'deleted', 'replaced')";

/** Files in one of these states. */
export function selectPositionsByState(
  queries: SqlQueries,
  pipeline: string,
  states: readonly string[],
): Promise<SourcePositionRow[]> {
  return select(queries, "pipeline = $1 and state = any($2) order by file_id", [pipeline, states]);
}

/** Files still in the directory by path, the newest id first. */
export function selectPositionsByPath(
  queries: SqlQueries,
  pipeline: string,
  paths: readonly string[],
): Promise<SourcePositionRow[]> {
  const condition = `pipeline = $1 and path = any($2) and ${IN_DIRECTORY} order by file_id desc`;
  return select(queries, condition, [pipeline, paths]);
}

/** Files still in the directory by inode, the newest id first. */
export function selectPositionsByInode(
  queries: SqlQueries,
  pipeline: string,
  inodes: readonly string[],
): Promise<SourcePositionRow[]> {
  const condition = `pipeline = $1 and inode = any($2) and ${IN_DIRECTORY} order by file_id desc`;
  return select(queries, condition, [pipeline, inodes]);
}

/** Files still in the directory by id. */
export function selectPositionsById(
  queries: SqlQueries,
  pipeline: string,
  fileIds: readonly number[],
): Promise<SourcePositionRow[]> {
  const condition = `pipeline = $1 and file_id = any($2::bigint[]) and ${IN_DIRECTORY} order by file_id`;
  return select(queries, condition, [pipeline, fileIds]);
}

/** Ids that nobody else gets, whatever becomes of the transaction that uses them. */
export async function takeFileIds(queries: SqlQueries, count: number): Promise<number[]> {
  const rows = await queries.query<{ id: number }>(
    `select nextval(pg_get_serial_sequence('source_files', 'file_id')) as id from generate_series(1, $1)`,
    [count],
  );
  return rows.map((row) => row.id);
}

/**
 * Writes the rows as given, in the transaction that also holds what was read from the files.
 * @throws when an id is another pipeline's.
 */
export async function upsertPositions(
  transaction: SqlTransaction,
  pipeline: string,
  rows: readonly SourcePositionRow[],
): Promise<void> {
  const stored = rows.map((row) => ({ ...row, header: row.header?.map(escapeNul) ?? null }));
  const count = await transaction.execute(
    `insert into source_files (pipeline, ${COLUMNS})
     select $1, ${COLUMNS} from jsonb_to_recordset($2::jsonb) as row (
       file_id bigint, path text, generation integer, inode text, byte_offset bigint, line bigint, header jsonb,
       raw_offset bigint, head_hash text, tail_hash text, size bigint, mtime_ns numeric, state text,
       ended_at_byte bigint, ended_at_line bigint)
     on conflict (file_id) do update set
       path = excluded.path, generation = excluded.generation, inode = excluded.inode,
       byte_offset = excluded.byte_offset, line = excluded.line, header = excluded.header,
       raw_offset = excluded.raw_offset, head_hash = excluded.head_hash, tail_hash = excluded.tail_hash,
       size = excluded.size, mtime_ns = excluded.mtime_ns, state = excluded.state,
       ended_at_byte = excluded.ended_at_byte, ended_at_line = excluded.ended_at_line, updated_at = now()
     where source_files.pipeline = excluded.pipeline`,
    [pipeline, JSON.stringify(stored)],
  );
  if (count === rows.length) return;
  throw new Error(`a file id of "${pipeline}" is another pipeline's: ${count} of ${rows.length} rows stored`);
}

/**
 * Stores what files these are, and nothing of how far they were read, which is committed elsewhere: a new file or
 * generation stands at its start. A file counts as done only where the stored position is the given one.
 */
export async function upsertIdentities(
  transaction: SqlTransaction,
  pipeline: string,
  rows: readonly SourcePositionRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const given = rows.map(({ header: _, ...row }) => row);
  await transaction.execute(
    `insert into source_files as f (pipeline, file_id, path, generation, inode, size, mtime_ns, state)
     select $1, file_id, path, generation, inode, size, mtime_ns,
       case when byte_offset = 0 then state else 'reading' end
     from jsonb_to_recordset($2::jsonb) as row (
       file_id bigint, path text, generation integer, inode text, size bigint, mtime_ns numeric, state text,
       byte_offset bigint)
     on conflict (file_id) do update set path = excluded.path, inode = excluded.inode, updated_at = now()
     where f.pipeline = excluded.pipeline`,
    [pipeline, JSON.stringify(given)],
  );
  await transaction.execute(
    `update source_files f set generation = row.generation, byte_offset = 0, line = 1, header = null,
       raw_offset = 0, head_hash = '', tail_hash = '', state = 'reading', ended_at_byte = null, ended_at_line = null
     from jsonb_to_recordset($2::jsonb) as row (file_id bigint, generation integer)
     where f.pipeline = $1 and f.file_id = row.file_id and f.generation < row.generation`,
    [pipeline, JSON.stringify(given)],
  );
  await transaction.execute(
    `update source_files f set state = row.state, size = row.size, mtime_ns = row.mtime_ns
     from jsonb_to_recordset($2::jsonb) as row (
       file_id bigint, generation integer, byte_offset bigint, state text, size bigint, mtime_ns numeric)
     where f.pipeline = $1 and f.file_id = row.file_id and f.generation = row.generation
       and (f.byte_offset = row.byte_offset or row.state in ('missing', 'replaced'))`,
    [pipeline, JSON.stringify(given)],
  );
}

/** PostgreSQL's jsonb holds every character but NUL, which a broken header may have: `\\0` stands for it. */
function escapeNul(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0");
}

export function unescapeNul(text: string): string {
  return text.replaceAll(/\\([\\0])/g, (_, escaped) => (escaped === "0" ? "\0" : "\\"));
}

async function select(
  queries: SqlQueries,
  condition: string,
  values: readonly unknown[],
): Promise<SourcePositionRow[]> {
  const rows = await queries.query<SourcePositionRow>(
    `select ${COLUMNS} from source_files where ${condition}`,
    values,
  );
  return rows.map((row) => ({ ...row, header: row.header?.map(unescapeNul) ?? null }));
}
