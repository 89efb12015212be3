/** What PostgreSQL says of a run: the figures that its pages must show. */
import type { RealRun } from "./real-run.js";
import { count } from "./shown.js";

interface CommitRow {
  readonly epoch: number;
  readonly records_read: number;
  readonly events_written: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly dead_letters: number;
}

/** The newest first, as a row of the pages shows them. */
export async function commitsOf(run: RealRun, limit: number): Promise<Record<string, string>[]> {
  const rows = await run.session.query<CommitRow>(
    `select epoch, records_read, events_written, duplicates, conflicts, dead_letters from commits order by epoch desc limit ${limit}`,
  );
  return rows.map((row) => ({
    Epoch: String(row.epoch),
    Read: count(row.records_read),
    Written: count(row.events_written),
    Duplicates: count(row.duplicates),
    Conflicts: count(row.conflicts),
    "Dead letters": count(row.dead_letters),
  }));
}

export async function totalsOf(run: RealRun) {
  const [row] = await run.session.query<Record<"recordsRead" | "duplicates" | "conflicts", number>>(
    `select sum(records_read)::bigint as "recordsRead", sum(duplicates)::bigint as duplicates,
       sum(conflicts)::bigint as conflicts from commits`,
  );
  if (row === undefined) throw new Error("nothing was committed");
  return row;
}

/** As `status` counts them: those that are dead still. */
export async function deadByReason(run: RealRun): Promise<Record<string, number>> {
  const rows = await run.session.query<{ reason: string; n: number }>(
    `select coalesce(retry_reason, reason) as reason, count(*) as n from dead_letters
     where retry_outcome is null or retry_outcome = 'rejected' group by 1`,
  );
  return Object.fromEntries(rows.map(({ reason, n }) => [reason, n]));
}

export async function deadOf(run: RealRun): Promise<number> {
  return sum(Object.values(await deadByReason(run)));
}

export async function rowsOf(run: RealRun, from: string): Promise<number> {
  const [row] = await run.session.query<{ n: number }>(`select count(*) as n from ${from}`);
  return row?.n ?? 0;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
