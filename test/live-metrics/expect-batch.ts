/** What live-metrics must have after all of its input: the tables of a batch, and the counts of user-events. */
import { expect } from "chai";
import type { SqlQueries } from "../../sql/sql-session.js";
import { readStatus } from "../../sql/status.js";
import { batchRows, LIVE_TABLES, liveRows } from "./batch-recomputation.js";

const COUNTS = ["records_read", "events_written", "duplicates", "conflicts", "dead_letters"] as const;

/** @param seed of the input, for whoever reads the failure */
export async function expectTablesOfBatch(queries: SqlQueries, seed: number): Promise<void> {
  for (const table of LIVE_TABLES) {
    const [live, batch] = [await liveRows(queries, table), await batchRows(queries, table)];
    expect(live.length, `rows of ${table}`).to.be.greaterThan(10);
    // Of hundreds of thousands of rows nobody could show all that differ.
    const at = live.findIndex((row, place) => row !== batch[place]);
    expect(live[at], `${table}, row ${at} (MILLRACE_SEED=${seed})`).to.equal(batch[at]);
    expect(live.length, `rows of ${table} (MILLRACE_SEED=${seed})`).to.equal(batch.length);
  }
}

/** @param seed of the input, for whoever reads the failure */
export async function expectCountsOfUserEvents(queries: SqlQueries, seed: number): Promise<void> {
  const status = await readStatus(queries);
  const [live = expect.fail(), main = expect.fail()] = ["live-metrics", "user-events"].map((name) =>
    status.find(({ pipeline }) => pipeline === name),
  );
  for (const field of COUNTS)
    expect(live[field], `${field} (MILLRACE_SEED=${seed})`).to.deep.equal(main[field]);
}
