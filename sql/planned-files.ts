/** The table `planned_files`: what the latest run of a pipeline is to read. */
import type { SourcePositionRow } from "./source-positions.js";
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** A file with something to read. The position is where reading begins. */
export interface PlannedFileRow extends SourcePositionRow {
  readonly head_hash: string;
  readonly tail_hash: string;
  /** Running number of the file in its run, from 0: the order in which files are read. */
  readonly file_order: number;
  /** Of the file as stored. */
  readonly byte_end: number;
  readonly planned_head_hash: string;
  readonly planned_tail_hash: string;
  readonly is_tail_complete: boolean;
}

const COLUMNS = `file_order, file_id, path, generation, inode, size, mtime_ns, byte_offset, line, header, raw_offset,
  head_hash, tail_hash, state, ended_at_byte, ended_at_line, byte_end, planned_head_hash, planned_tail_hash,
  is_tail_complete`;
const ROWS_PER_STATEMENT_MAX = 1_000;

/** Makes these files the plan of the run; every other plan of the pipeline goes. */
export async function replacePlan(
  transaction: SqlTransaction,
  pipeline: string,
  runId: string,
  files: readonly PlannedFileRow[],
): Promise<void> {
  await transaction.execute("delete from planned_files where pipeline = $1", [pipeline]);
  for (let i = 0; i < files.length; i += ROWS_PER_STATEMENT_MAX) {
    const rows = files.slice(i, i + ROWS_PER_STATEMENT_MAX).map(toStored);
    await transaction.execute(
      `insert into planned_files (pipeline, run_id, ${COLUMNS})
       select $1, $2::uuid, ${COLUMNS} from jsonb_to_recordset($3::jsonb) as row (
         file_order integer, file_id bigint, path text, generation integer, inode text, size bigint,
         mtime_ns numeric, byte_offset bigint, line bigint, header text, raw_offset bigint, head_hash text,
         tail_hash text, state text, ended_at_byte bigint, ended_at_line bigint, byte_end bigint,
         planned_head_hash text, planned_tail_hash text, is_tail_complete boolean)`,
      [pipeline, runId, JSON.stringify(rows)],
    );
  }
}

/** The files of a run's plan in their order, from the given number on, at most `count`. */
export async function selectPlan(
  queries: SqlQueries,
  pipeline: string,
  runId: string,
  from: number,
  count: number,
): Promise<PlannedFileRow[]> {
  const rows = await queries.query<StoredRow>(
    `select ${COLUMNS} from planned_files
     where pipeline = $1 and run_id = $2::uuid and file_order >= $3 order by file_order limit $4`,
    [pipeline, runId, from, count],
  );
  return rows.map(fromStored);
}

/** What the pipeline's latest run, whichever that was, was to read of these files. */
export async function selectEarlierPlan(
  queries: SqlQueries,
  pipeline: string,
  fileIds: readonly number[],
): Promise<PlannedFileRow[]> {
  const rows = await queries.query<StoredRow>(
    `select ${COLUMNS} from planned_files where pipeline = $1 and file_id = any($2::bigint[])`,
    [pipeline, fileIds],
  );
  return rows.map(fromStored);
}

type StoredRow = Omit<PlannedFileRow, "header"> & { readonly header: string | null };

function toStored(row: PlannedFileRow): StoredRow {
  return { ...row, header: row.header === null ? null : JSON.stringify(row.header) };
}

function fromStored(row: StoredRow): PlannedFileRow {
  return { ...row, header: row.header === null ? null : (JSON.parse(row.header) as string[]) };
}
