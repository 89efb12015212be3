/** The history of jobs in a real database: bounded whatever a day brings, and filled up after a crash. */
import { expect } from "chai";
import { JobHistory, LONG_STEP_MS, SHORT_STEP_MS } from "../../runners/inspect/job-history.js";
import { type BatchRowWithSources, insertBatches, readBatch } from "../../sql/batch-history.js";
import { insertCommit } from "../../sql/commits.js";
import type { JobSample } from "../../sql/job-samples.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

const RUN = "00000000-0000-4000-8000-000000000001";
const OTHER_RUN = "00000000-0000-4000-8000-000000000002";
const DAY_MS = 86_400_000;
const BYTES_MAX = 50_000_000;

function batch(epoch: number): BatchRowWithSources {
  const atMs = 1_700_000_000_000 + epoch * 1_000;
  return {
    ...{ epoch, runId: RUN, startedAtMs: atMs - 500, committedAtMs: atMs },
    ...{ recordsRead: 10, eventsWritten: 7, duplicates: 1, conflicts: 1, deadLetters: { field_count: 1 } },
    detail: { durationMs: { read: 1.5 }, backlogFiles: 3 },
    sources: [{ description: "directory d", files: [{ path: "a.csv", startOffset: 0, endOffset: 9 }] }],
  };
}

function sample(stepMs: number, atMs: number): JobSample {
  return {
    ...{ stepMs, atMs, batches: 1, recordsRead: 10, eventsWritten: 8, duplicates: 1, deadLetters: 1 },
    ...{ batchMs: 5, latencyP50Ms: 100, latencyP99Ms: 200, watermarkLagMs: 50 },
    ...{ backlogBytes: 1_000, backlogFiles: 2, rssBytes: 100_000_000, cpuShare: 0.5 },
  };
}

describe("JobHistory", () => {
  let database: MigratedDatabase;
  let history: JobHistory;
  beforeEach(async () => {
    database = await migratedDatabase();
    history = new JobHistory("p", database.connection);
  });
  afterEach(async () => {
    await history.close();
    await database.close();
  });

  /** As the epoch's own transaction has it. */
  const commit = (epoch: number, runId: string, deadLetters = 1) =>
    insertCommit(database.session, {
      ...{ pipeline: "p", shard: 0, epoch, runId, deadLetters },
      ...{ recordsRead: 10, eventsWritten: 8, duplicates: 0, conflicts: 0 },
    });

  it("gives back what was written, page by page, and one batch with its files", async () => {
    for (const epoch of [1, 2, 3]) await commit(epoch, RUN);
    for (const epoch of [1, 2, 3]) history.addBatch(batch(epoch));
    await history.flush();
    await history.flush();
    const first = await history.batches(undefined, 2);
    expect(first.map(({ epoch }) => epoch)).to.deep.equal([3, 2]);
    expect((await history.batches(2, 2)).map(({ epoch }) => epoch)).to.deep.equal([1]);
    expect(await history.batch(2)).to.deep.equal(batch(2));
    expect(await history.batch(9)).to.equal(undefined);
  });

  it("fills up what a killed run has not written from its commits, and leaves the present run's alone", async () => {
    await database.session.query(
      "insert into pipelines (pipeline, shard, run_id, epoch) values ('p', 0, $1, 3)",
      [OTHER_RUN],
    );
    await commit(1, RUN, 2);
    await commit(2, RUN, 4);
    await commit(3, OTHER_RUN, 2);
    await insertBatches(database.session, "p", [batch(1)]);
    const letters = [
      [1, "invalid_price", 2],
      [2, "field_count", null],
      [2, "field_count", null],
      [2, "invalid_price", 3],
    ] as const;
    for (const [at, [epoch, reason, retriedEpoch]] of letters.entries()) {
      await database.session.query(
        `insert into dead_letters (pipeline, epoch, file_id, generation, source_file, line, byte_start, byte_end,
           reason, messages, raw, retried_epoch, retry_outcome)
         values ('p', $1, 1, 0, 'a.csv', $2, $2, $2, $3, '[]', 'x', $4, case when $4::bigint > 0 then 'written' end)`,
        [epoch, at, reason, retriedEpoch],
      );
    }
    history.addSample(sample(SHORT_STEP_MS, 0));
    await history.flush();
    const rows = await history.batches(undefined, 10);
    expect(rows.map(({ epoch, detail }) => [epoch, detail !== null])).to.deep.equal([
      [2, false],
      [1, true],
    ]);
    const filled = (await readBatch(database.session, "p", 2))!;
    expect(filled).to.include({ recordsRead: 10, eventsWritten: 8, runId: RUN });
    // two came, one came that was taken back later, one of an earlier epoch was taken back, and two were purged
    expect(filled.deadLetters).to.deep.equal({ field_count: 2, unknown: 2 });
  });

  it("keeps a day of one epoch a second under 50 MB", async () => {
    const nowMs = 1_800_000_000_000;
    const { session } = database;
    // a day as it would have come, without waiting for it: wide batches, and both lengths of steps
    await session.query(
      `insert into batch_history
       select 'p', epoch, $1, now(), now(), 10, 7, 1, 1, '{"field_count": 1}',
         jsonb_build_object('durationMs', jsonb_build_object('read', 1.25, 'wait', 0.5, 'sink', 9.75, 'commit', 3.5),
           'latencyMs', jsonb_build_object('p50', 100, 'p95', 200, 'p99', 300, 'max', 400), 'backlogFiles', 12),
         (select jsonb_agg(jsonb_build_object('path', 'events-20261128T084536741Z-' || epoch || '-' || n || '.csv',
           'startOffset', 0, 'endOffset', 1183296)) from generate_series(1, 5) as n)
       from generate_series(1, 86400) as epoch`,
      [RUN],
    );
    for (const stepMs of [SHORT_STEP_MS, LONG_STEP_MS]) {
      await session.query(
        `insert into job_samples
         select 'p', $1::integer, to_timestamp(($2::double precision - n * $1::integer) / 1000), 1, 1000, 980, 10, 10,
           12.5, 100.5, 200.5, 50.5, 1000000, 3, 150000000, 0.25
         from generate_series(0, ($3::bigint / $1::integer)::integer) as n`,
        [stepMs, nowMs, 2 * DAY_MS],
      );
    }
    await history.prune(nowMs);
    await session.query("vacuum full batch_history, job_samples");
    const [kept] = await session.query<{ bytes: number; batches: number; short: number; long: number }>(
      `select pg_total_relation_size('batch_history') + pg_total_relation_size('job_samples') as bytes,
         (select count(*) from batch_history) as batches,
         (select count(*) from job_samples where step_ms = 1000) as short,
         (select count(*) from job_samples where step_ms = 10000) as long`,
    );
    expect(kept).to.include({ batches: 5_000, short: 3_601, long: 9_001 });
    expect(kept!.bytes).to.be.below(BYTES_MAX / 5); // room for rows that are dead and not vacuumed yet
    const day = await history.spans({ fromMs: nowMs - DAY_MS, toMs: nowMs, points: 100, nowMs });
    expect(day).to.have.length(100);
    expect(day[50]).to.include({ latencyP99Ms: 200.5, rssBytes: 150_000_000, backlogFiles: 3 });
    expect(day[50]!.recordsRead / day[50]!.batches).to.equal(1_000);
  });

  it("adds up steps to spans, and leaves out times in which nothing was", async () => {
    const nowMs = 10_000_000;
    for (const at of [0, 1, 2, 7]) history.addSample(sample(SHORT_STEP_MS, nowMs - 10_000 + at * 1_000));
    await history.flush();
    const spans = await history.spans({ fromMs: nowMs - 10_000, toMs: nowMs, points: 5, nowMs });
    expect(
      spans.map(({ atMs, recordsRead, coveredMs }) => [atMs - nowMs, recordsRead, coveredMs]),
    ).to.deep.equal([
      [-10_000, 20, 2_000],
      [-8_000, 10, 1_000],
      [-4_000, 10, 1_000],
    ]);
  });

  it("leaves out what the database has lost, so that the epoch that comes in its place has its row", async () => {
    await commit(1, RUN);
    await commit(2, OTHER_RUN);
    for (const epoch of [1, 2, 3]) history.addBatch(batch(epoch));
    await history.flush();
    history.addBatch({ ...batch(2), runId: OTHER_RUN });
    await history.flush();
    const rows = await history.batches(undefined, 10);
    expect(rows.map(({ epoch, runId }) => [epoch, runId])).to.deep.equal([
      [2, OTHER_RUN],
      [1, RUN],
    ]);
  });

  it("writes what waited once the database takes it again", async () => {
    await commit(1, RUN);
    history.addBatch(batch(1));
    await history
      .use((session) => session.query("select pg_terminate_backend(pg_backend_pid())"))
      .catch(() => 0);
    await history.flush().catch(() => undefined);
    await history.flush();
    expect((await history.batches(undefined, 10)).map(({ epoch }) => epoch)).to.deep.equal([1]);
  });
});
