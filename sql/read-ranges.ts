/** The table `read_ranges`: which parts of files were read by workers, so that each of their records counts once. */
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** A part of a file whose records were handed on. */
export interface ReadRangeRow {
  readonly file_id: number;
  readonly generation: number;
  /** Inflated bytes in a `.gz` file. */
  readonly byte_start: number;
  readonly byte_end: number;
  /** A later attempt at the whole input has a larger one. */
  readonly lineage: number;
  readonly records: number;
  /** JSON: where reading goes on behind it. */
  readonly end_position: string;
}

const COLUMNS = "file_id, generation, byte_start, byte_end, lineage, records, end_position";
const GIVEN = `jsonb_to_recordset($2::jsonb) as given (
  file_id bigint, generation integer, byte_start bigint, byte_end bigint, lineage bigint, records bigint,
  end_position text)`;
/** An empty range overlaps another one that begins where it does. */
const overlaps = (r: string) => `${r}.pipeline = $1 and ${r}.file_id = given.file_id
  and ${r}.generation = given.generation and (${r}.byte_start = given.byte_start
    or (${r}.byte_start < given.byte_end and given.byte_start < ${r}.byte_end))`;

/**
 * Records the ranges in the transaction that holds what was made of them. A range replaces those of the same or
 * an older lineage that overlap it, and is dropped if one of a newer lineage does, or if it lies before the
 * file's committed position.
 * @returns by file, how many records were read that did not count before; may be negative
 */
export async function recordRanges(
  transaction: SqlTransaction,
  pipeline: string,
  ranges: readonly ReadRangeRow[],
): Promise<Map<number, number>> {
  const given = withoutOverlaps(ranges);
  if (given.length === 0) return new Map();
  const values = [pipeline, JSON.stringify(given)];
  await lockFiles(transaction, pipeline, given);
  const replaced = await transaction.query<Counted>(
    `delete from read_ranges r using ${GIVEN}
     where ${overlaps("r")} and r.lineage <= given.lineage and not exists (
       select from read_ranges newer where newer.lineage > given.lineage and ${overlaps("newer")})
     returning r.file_id, -r.records as records`,
    values,
  );
  // what overlaps now is of a newer lineage; what lies before the committed position has counted
  const fresh = await transaction.query<Counted>(
    `insert into read_ranges (pipeline, pulse, ${COLUMNS})
     select $1, (select pulse from pipelines where pipeline = $1 and shard = 0), ${COLUMNS} from ${GIVEN}
     where not exists (select from read_ranges r where ${overlaps("r")}) and not exists (
       select from source_files f where f.pipeline = $1 and f.file_id = given.file_id
         and f.generation = given.generation and f.byte_offset >= given.byte_end and given.byte_end > given.byte_start)
     returning file_id, records`,
    values,
  );
  const counts = new Map<number, number>();
  for (const { file_id: fileId, records } of [...replaced, ...fresh]) {
    counts.set(fileId, (counts.get(fileId) ?? 0) + records);
  }
  return new Map([...counts].filter(([, records]) => records !== 0));
}

interface Counted {
  readonly file_id: number;
  readonly records: number;
}

/** How much of its input the run has read: files of which something was, bytes, records. */
export async function sumRanges(
  queries: SqlQueries,
  pipeline: string,
): Promise<{ readonly files: number; readonly bytes: number; readonly records: number }> {
  const [sums] = await queries.query<{ files: number; bytes: number; records: number }>(
    `select count(distinct file_id) as files, coalesce(sum(byte_end - byte_start), 0)::bigint as bytes,
       coalesce(sum(records), 0)::bigint as records
     from read_ranges where pipeline = $1`,
    [pipeline],
  );
  return sums as { files: number; bytes: number; records: number };
}

/** The ranges read of these files, by file and offset. */
export function selectRanges(
  queries: SqlQueries,
  pipeline: string,
  fileIds: readonly number[],
): Promise<ReadRangeRow[]> {
  return queries.query<ReadRangeRow>(
    `select ${COLUMNS} from read_ranges where pipeline = $1 and file_id = any($2::bigint[])
     order by file_id, generation, byte_start`,
    [pipeline, fileIds],
  );
}

/** Settled ranges, by file and offset. */
export function selectSettledRanges(
  queries: SqlQueries,
  pipeline: string,
  count: number,
): Promise<ReadRangeRow[]> {
  return queries.query<ReadRangeRow>(
    `select ${COLUMNS} from read_ranges r where pipeline = $1 and settled
     and exists (select from source_files f where f.pipeline = r.pipeline and f.file_id = r.file_id
       and f.generation = r.generation and f.byte_offset <= r.byte_start)
     order by file_id, generation, byte_start limit $2`,
    [pipeline, count],
  );
}

/** Forgets the settled ranges before the positions of these files: they have done their work. */
export async function forgetPassedRanges(
  transaction: SqlTransaction,
  pipeline: string,
  fileIds: readonly number[],
): Promise<void> {
  await transaction.execute(
    `delete from read_ranges r using source_files f where r.pipeline = $1 and r.file_id = any($2::bigint[])
     and f.pipeline = r.pipeline and f.file_id = r.file_id and f.generation = r.generation
     and r.settled and r.byte_end <= f.byte_offset and r.byte_start < f.byte_offset`,
    [pipeline, fileIds],
  );
}

/**
 * How far the pulse must have come since a range was recorded, until a checkpoint is complete that began behind the
 * bundle that recorded it. The first beat may be of a bundle that ran before, the second of a checkpoint that had begun
 * before; the third is of a later one.
 */
const SETTLED_BEATS = 3;

/** Says of ranges that the runner has made them durable, and all that came of them. */
export async function settleRanges(transaction: SqlTransaction, pipeline: string): Promise<void> {
  await transaction.execute(
    `update read_ranges r set settled = true from pipelines p
     where r.pipeline = $1 and not r.settled and p.pipeline = $1 and p.shard = 0 and r.pulse + $2 <= p.pulse`,
    [pipeline, SETTLED_BEATS],
  );
}

/** The runner has gone back to a checkpoint: what it had not passed comes again, and is waited for from now on. */
export async function restartSettling(queries: SqlQueries, pipeline: string): Promise<void> {
  await queries.query(
    `update read_ranges r set pulse = p.pulse from pipelines p
     where r.pipeline = $1 and not r.settled and p.pipeline = $1 and p.shard = 0 and r.pulse < p.pulse`,
    [pipeline],
  );
}

/** Says it of all that the pipeline's workers have read: their job has come to its end. */
export async function settleAllRanges(transaction: SqlTransaction, pipeline: string): Promise<void> {
  await transaction.execute("update read_ranges set settled = true where pipeline = $1 and not settled", [
    pipeline,
  ]);
}

/** Forgets every range: the positions have passed all of them. */
export async function dropRanges(transaction: SqlTransaction, pipeline: string): Promise<void> {
  await transaction.execute("delete from read_ranges where pipeline = $1", [pipeline]);
}

/** Whether workers have read what no position has passed. */
export async function hasRanges(queries: SqlQueries, pipeline: string): Promise<boolean> {
  const rows = await queries.query("select from read_ranges where pipeline = $1 limit 1", [pipeline]);
  return rows.length > 0;
}

/** Those of the files of which no range is left to be settled. */
export async function filesWithoutRanges(
  transaction: SqlTransaction,
  pipeline: string,
  fileIds: readonly number[],
): Promise<number[]> {
  const rows = await transaction.query<{ file_id: number }>(
    `select file_id from unnest($2::bigint[]) as file_id
     where not exists (select from read_ranges r where r.pipeline = $1 and r.file_id = file_id.file_id)`,
    [pipeline, fileIds],
  );
  return rows.map(({ file_id: fileId }) => fileId);
}

/** A number larger than that of every attempt before. */
export async function takeLineage(queries: SqlQueries): Promise<number> {
  const [row] = await queries.query<{ lineage: number }>("select nextval('read_lineage') as lineage");
  return row!.lineage;
}

/**
 * Forgets every range of the pipeline, before a new run: those before the files' committed positions have done
 * their work, the others' records are read again and count only then.
 */
export async function forgetRanges(transaction: SqlTransaction, pipeline: string): Promise<void> {
  await transaction.execute(
    `with forgotten as (delete from read_ranges where pipeline = $1 returning *),
     uncounted as (
       select r.file_id, sum(r.records) as records
       from forgotten r left join source_files f
         on f.pipeline = r.pipeline and f.file_id = r.file_id
       where f.file_id is null or (f.generation = r.generation and r.byte_end > f.byte_offset)
       group by r.file_id
     )
     update ledger set records_read = ledger.records_read - uncounted.records
     from uncounted where ledger.pipeline = $1 and ledger.file_id = uncounted.file_id`,
    [pipeline],
  );
}

/** Waits for whoever is recording ranges of one of these files; in the order of ids, so that nobody waits in a circle. */
async function lockFiles(
  transaction: SqlTransaction,
  pipeline: string,
  ranges: readonly ReadRangeRow[],
): Promise<void> {
  await transaction.query(
    `select pg_advisory_xact_lock(hashtextextended('millrace:ranges:' || $1::text || ':' || file_id, 0))
     from unnest($2::bigint[]) as file_id`,
    [pipeline, [...new Set(ranges.map(({ file_id }) => file_id))].sort((a, b) => a - b)],
  );
}

/** The same rule among the ranges of one call: of two that overlap, the newer lineage stays, else the later one. */
function withoutOverlaps(ranges: readonly ReadRangeRow[]): ReadRangeRow[] {
  const files = new Map<string, ReadRangeRow[]>();
  for (const range of ranges) {
    const key = `${range.file_id} ${range.generation}`;
    const others = files.get(key) ?? [];
    if (others.some((other) => doOverlap(other, range) && other.lineage > range.lineage)) continue;
    files.set(key, [...others.filter((other) => !doOverlap(other, range)), range]);
  }
  return [...files.values()].flat();
}

function doOverlap(a: ReadRangeRow, b: ReadRangeRow): boolean {
  if (a.byte_start === b.byte_start) return true;
  return a.byte_start < b.byte_end && b.byte_start < a.byte_end;
}
