/** The table `source_files`: which file is which, and how far each was read. */
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

export type SourceFileState = "reading" | "ended" | "done" | "archived" | "deleted" | "replaced";

/** A row of `source_files`; offsets and sizes in bytes, those but `rawOffset` and `size` of the inflated file. */
export interface SourceFileRow {
  readonly fileId: number;
  /** Relative to the watched directory. */
  readonly path: string;
  /** How many files had this path before. */
  readonly generation: number;
  readonly inode: string;
  readonly byteOffset: number;
  /** The line that starts at `byteOffset`, from 1. */
  readonly line: number;
  /** Null until the header was read. */
  readonly header: readonly string[] | null;
  /** How many bytes of the file as stored were consumed; the hashes are of those. */
  readonly rawOffset: number;
  readonly headHash: string | null;
  readonly tailHash: string | null;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly state: SourceFileState;
  /** Where the last record ended without a newline. */
  readonly endedAtByte: number | null;
  readonly endedAtLine: number | null;
}

/** All files a pipeline has seen, in the order it saw them. */
export async function loadSourceFiles(queries: SqlQueries, pipeline: string): Promise<SourceFileRow[]> {
  const rows = await queries.query<StoredSourceFile>(
    `select
      file_id as "fileId", path, generation, inode, byte_offset as "byteOffset", line, header,
      raw_offset as "rawOffset", head_hash as "headHash", tail_hash as "tailHash", size,
      mtime_ns as "mtimeNs", state, ended_at_byte as "endedAtByte", ended_at_line as "endedAtLine"
    from source_files
    where pipeline = $1
    order by file_id`,
    [pipeline],
  );
  return rows.map((row) => ({
    ...row,
    header: row.header?.map(unescapeNul) ?? null,
    mtimeNs: BigInt(row.mtimeNs),
  }));
}

/**
 * Ids nobody else gets, in ascending order. They stay taken when the transaction that uses them fails, so
 * that they can be reserved before it begins.
 */
export async function reserveFileIds(queries: SqlQueries, count: number): Promise<number[]> {
  const rows = await queries.query<{ id: number }>(
    `select nextval(pg_get_serial_sequence('source_files', 'file_id')) as id from generate_series(1, $1::bigint)`,
    [count],
  );
  return rows.map(({ id }) => id);
}

/** Inserts the rows, or replaces those with the same id. @throws when an id is another pipeline's. */
export async function upsertSourceFiles(
  transaction: SqlTransaction,
  pipeline: string,
  rows: readonly SourceFileRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const stored = rows.map((row) => ({
    ...row,
    header: row.header?.map(escapeNul) ?? null,
    mtimeNs: String(row.mtimeNs),
  }));
  const count = await transaction.execute(UPSERT, [pipeline, JSON.stringify(stored)]);
  if (count !== rows.length) {
    throw new Error(
      `a file_id of \`${pipeline}\` is another pipeline's: ${rows.length} rows, ${count} stored`,
    );
  }
}

type StoredSourceFile = Omit<SourceFileRow, "header" | "mtimeNs"> & {
  header: string[] | null;
  mtimeNs: string;
};

const UPSERT = `
insert into source_files (
  file_id, pipeline, path, generation, inode, byte_offset, line, header, raw_offset, head_hash, tail_hash, size,
  mtime_ns, state, ended_at_byte, ended_at_line
)
select
  "fileId", $1, path, generation, inode, "byteOffset", line, nullif(header, 'null'), "rawOffset", "headHash",
  "tailHash", size, "mtimeNs", state, "endedAtByte", "endedAtLine"
from jsonb_to_recordset($2::jsonb) as given(
  "fileId" bigint, path text, generation integer, inode text, "byteOffset" bigint, line bigint, header jsonb,
  "rawOffset" bigint, "headHash" text, "tailHash" text, size bigint, "mtimeNs" numeric, state text,
  "endedAtByte" bigint, "endedAtLine" bigint
)
on conflict (file_id) do update set
  path = excluded.path,
  generation = excluded.generation,
  inode = excluded.inode,
  byte_offset = excluded.byte_offset,
  line = excluded.line,
  header = excluded.header,
  raw_offset = excluded.raw_offset,
  head_hash = excluded.head_hash,
  tail_hash = excluded.tail_hash,
  size = excluded.size,
  mtime_ns = excluded.mtime_ns,
  state = excluded.state,
  ended_at_byte = excluded.ended_at_byte,
  ended_at_line = excluded.ended_at_line,
  updated_at = now()
where source_files.pipeline = excluded.pipeline`;

/** PostgreSQL's jsonb holds every character but NUL, which a header may have: `\0` stands for it. */
function escapeNul(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0");
}

function unescapeNul(text: string): string {
  return text.replaceAll(/\\([\\0])/g, (_, escaped) => (escaped === "0" ? "\0" : "\\"));
}
