/** The table `ledger`: what became of every record of a file. */
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** Counts that always balance: read = written + duplicates + conflicts + the sum of dead letters. */
export interface RecordCounts {
  readonly recordsRead: number;
  readonly eventsWritten: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** By reason. */
  readonly deadLetters: Readonly<Record<string, number>>;
}

/** Counts to add; dead letters may be taken away: a record that is tried again becomes something else. */
export interface LedgerDelta extends RecordCounts {
  readonly fileId: number;
}

/**
 * Adds to what is stored, dead letters reason by reason; a reason of which none is left goes. One row a file: a file
 * given twice is an error (21000).
 */
export async function addToLedger(
  transaction: SqlTransaction,
  pipeline: string,
  rows: readonly LedgerDelta[],
): Promise<void> {
  if (rows.length === 0) return;
  await transaction.execute(ADD, [pipeline, JSON.stringify(rows)]);
}

const ADD = `
insert into ledger (file_id, pipeline, records_read, events_written, duplicates, conflicts, dead_letters)
select "fileId", $1, "recordsRead", "eventsWritten", duplicates, conflicts, "deadLetters"
from jsonb_to_recordset($2::jsonb) as given(
  "fileId" bigint, "recordsRead" bigint, "eventsWritten" bigint, duplicates bigint, conflicts bigint,
  "deadLetters" jsonb
)
on conflict (pipeline, file_id) do update set
  records_read = ledger.records_read + excluded.records_read,
  events_written = ledger.events_written + excluded.events_written,
  duplicates = ledger.duplicates + excluded.duplicates,
  conflicts = ledger.conflicts + excluded.conflicts,
  dead_letters = case
    when excluded.dead_letters = '{}' then ledger.dead_letters
    else (
      select coalesce(jsonb_object_agg(reason, count), '{}')
      from (
        select reason, sum(value::bigint) as count
        from (
          select * from jsonb_each_text(ledger.dead_letters)
          union all
          select * from jsonb_each_text(excluded.dead_letters)
        ) as both_sides(reason, value)
        group by reason
        having sum(value::bigint) <> 0
      ) as sums
    )
  end`;

/** What became of all records of a pipeline. */
export async function sumLedger(queries: SqlQueries, pipeline: string): Promise<RecordCounts> {
  const [sums] = await queries.query<Omit<RecordCounts, "deadLetters">>(
    `select
       coalesce(sum(records_read), 0)::bigint as "recordsRead",
       coalesce(sum(events_written), 0)::bigint as "eventsWritten",
       coalesce(sum(duplicates), 0)::bigint as duplicates,
       coalesce(sum(conflicts), 0)::bigint as conflicts
     from ledger where pipeline = $1`,
    [pipeline],
  );
  const reasons = await queries.query<{ reason: string; count: number }>(
    `select reason, sum(count::bigint)::bigint as count
     from ledger cross join lateral jsonb_each_text(dead_letters) as letters(reason, count)
     where pipeline = $1 and dead_letters <> '{}'
     group by reason order by reason`,
    [pipeline],
  );
  const deadLetters = Object.fromEntries(reasons.map(({ reason, count }) => [reason, count]));
  return { ...(sums as Omit<RecordCounts, "deadLetters">), deadLetters };
}

/**
 * Takes as duplicates, file by file, whatever has become nothing else: for files of which nothing is on its way any
 * more. On job servers a repeat may come again after it was counted, so it is not counted but left over.
 * @throws when more has become of a file's records than were read of it: counts never balance then.
 */
export async function settleDuplicates(
  transaction: SqlTransaction,
  pipeline: string,
  fileIds: readonly number[],
): Promise<void> {
  const rows = await transaction.query<{ file_id: number; left_over: number }>(SETTLE, [pipeline, fileIds]);
  const short = rows.find(({ left_over }) => left_over < 0);
  if (short === undefined) return;
  throw new Error(
    `pipeline "${pipeline}": of file ${short.file_id} ${-short.left_over} records more were written or parted with than were read`,
  );
}

const SETTLE = `
update ledger set duplicates = left_over
from (
  select file_id, records_read - events_written - conflicts - (
    select coalesce(sum(count::bigint), 0) from jsonb_each_text(dead_letters) as letters(reason, count)
  ) as left_over
  from ledger
  where pipeline = $1 and file_id = any($2::bigint[])
) as counted
where ledger.pipeline = $1 and ledger.file_id = counted.file_id
returning ledger.file_id, left_over`;
