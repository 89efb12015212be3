/** The table `ledger`: what became of every record of a file. */
import type { SqlTransaction } from "./sql-session.js";

/** Counts that always balance: read = written + duplicates + conflicts + the sum of dead letters. */
export interface RecordCounts {
  readonly recordsRead: number;
  readonly eventsWritten: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** By reason. */
  readonly deadLetters: Readonly<Record<string, number>>;
}

/** Counts to add. */
export interface LedgerDelta extends RecordCounts {
  readonly fileId: number;
}

/** Adds to what is stored, dead letters reason by reason. One row a file: a file given twice is an error (21000). */
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
      ) as sums
    )
  end`;
