/** Whether what a database says of a pipeline's records adds up: by file, in all, and over its commits. */
import { expect } from "chai";
import type { SqlQueries } from "../../sql/sql-session.js";
import { readStatus, type StatusCounts } from "../../sql/status.js";

type Sums = Record<"records_read" | "events_written" | "duplicates" | "conflicts" | "dead", number>;

/**
 * Read = written + duplicates + conflicts + dead letters for each file, for the pipeline, and for the sum of its
 * commits; what counts as dead is what stands in the table and has become nothing else, by file and reason.
 */
export async function expectBalance(queries: SqlQueries): Promise<void> {
  const [status] = await readStatus(queries);
  if (status === undefined) throw new Error("no pipeline has run");
  const files = status.files.map((file) => ({ what: file.path, sums: sumsOf(file) }));
  for (const { what, sums } of [...files, { what: "the pipeline", sums: sumsOf(status) }]) {
    const { records_read, events_written, duplicates, conflicts, dead } = sums;
    expect(events_written + duplicates + conflicts + dead, `records of ${what}`).to.equal(records_read);
  }
  const total = sumsOf(status);
  const [commits] = await queries.query<Sums>(
    `select sum(records_read)::bigint as records_read, sum(events_written)::bigint as events_written,
       sum(duplicates)::bigint as duplicates, sum(conflicts)::bigint as conflicts,
       sum(dead_letters)::bigint as dead
     from commits where pipeline = $1`,
    [status.pipeline],
  );
  expect(commits, "sum over commits").to.deep.equal(total);
  const rows = await queries.query("select from user_events");
  expect(rows.length, "rows").to.equal(status.events_written);
  const open = await queries.query(
    `select file_id, reason, count(*) as count from dead_letters
     where retry_outcome is null or retry_outcome = 'rejected' group by file_id, reason order by file_id, reason`,
  );
  const counted = await queries.query(
    `select file_id, reason, count::bigint from ledger cross join lateral jsonb_each_text(dead_letters) as letters(reason, count)
     order by file_id, reason`,
  );
  expect(counted, "dead letters by file and reason").to.deep.equal(open);
}

function sumsOf({ records_read, events_written, duplicates, conflicts, dead_letters }: StatusCounts): Sums {
  const dead = Object.values(dead_letters).reduce((sum, count) => sum + count, 0);
  return { records_read, events_written, duplicates, conflicts, dead };
}
