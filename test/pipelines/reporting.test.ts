/** The reporters against recorded events, with their exact output. */
import { expect } from "chai";
import { formatBytes, formatCount, formatDuration } from "../../pipelines/reporting/format-quantity.js";
import { formatTable } from "../../pipelines/reporting/format-table.js";
import { createJsonReporter } from "../../pipelines/reporting/json-reporter.js";
import { createLiveReporter, LiveLine } from "../../pipelines/reporting/live-reporter.js";
import { createPlainReporter } from "../../pipelines/reporting/plain-reporter.js";
import { formatProgress } from "../../pipelines/reporting/progress-line.js";
import type { Progress } from "../../pipelines/reporting/progress-meter.js";
import { ProgressMeter } from "../../pipelines/reporting/progress-meter.js";
import { reportJob } from "../../pipelines/reporting/reporter.js";
import { commitReport, FakeJob, listLog, ManualClock, noCounts, settle, sourceProgress } from "./fake-job.js";

const done = { state: "DONE", exitCode: 0, problem: undefined } as const;
const at = (clock: ManualClock, over = {}) =>
  commitReport({ committedAtMs: clock.now(), startedAtMs: clock.now() - 200, ...over });

describe("createPlainReporter()", () => {
  it("prints the first commit, then one line in five seconds, then the whole account", async () => {
    const [job, clock, lines] = [new FakeJob(), new ManualClock(), [] as string[]];
    const report = reportJob(job, [createPlainReporter(job, clock, (line) => lines.push(line))], listLog([]));
    await clock.advance(1_000);
    job.emit({ type: "commit", commit: at(clock) });
    await clock.advance(4_999);
    job.emit({ type: "commit", commit: at(clock) });
    await clock.advance(1);
    job.emit({
      type: "commit",
      commit: at(clock, { sources: [sourceProgress({ backlogFiles: 3, backlogBytes: 1_500 })] }),
    });
    await report.end(done);
    expect(lines).to.deep.equal([
      "user-events  100 records/s  1,000 written  30 dead letters  no backlog  lag 500 ms",
      "user-events  40 records/s  1,000 written  30 dead letters  backlog 3 files 1.5 kB  lag 5.5 s",
      "user-events  DONE  1,100 read: 1,000 written, 60 duplicates, 10 conflicts, 30 dead letters (invalid_price 30)",
    ]);
    expect(job.listeners).to.equal(0);
  });
});

describe("reportJob()", () => {
  it("tells retries to the log", () => {
    const [job, lines] = [new FakeJob(), [] as string[]];
    reportJob(job, [], listLog(lines));
    job.emit({ type: "retry", reason: "the database is away", code: "57P01", attempt: 2, delayMs: 400 });
    expect(lines).to.deep.equal(["warn the database is away; trying again in 400 ms"]);
  });
});

describe("createJsonReporter()", () => {
  it("prints one object a commit and a last one", async () => {
    const [job, lines] = [new FakeJob(), [] as string[]];
    const report = reportJob(
      job,
      [createJsonReporter("user-events", (line) => lines.push(line))],
      listLog([]),
    );
    job.emit({ type: "state", state: "RUNNING" });
    job.emit({
      type: "commit",
      commit: commitReport({ sources: [sourceProgress({ backlogFiles: 1, backlogBytes: 2 })] }),
    });
    await report.end(done);
    const totals = {
      records_read: 1_100,
      events_written: 1_000,
      duplicates: 60,
      conflicts: 10,
      dead_letters: { invalid_price: 30 },
    };
    expect(lines.map((line) => JSON.parse(line))).to.deep.equal([
      {
        event: "commit",
        pipeline: "user-events",
        run_id: "11111111-2222-4333-8444-555555555555",
        epoch: 7,
        committed_at: "2026-01-31T12:00:01.000Z",
        records_read: 100,
        events_written: 90,
        duplicates: 4,
        conflicts: 1,
        dead_letters: { invalid_price: 5 },
        totals,
        duration_ms: { read: 50, wait: 10, sink: 120, commit: 20 },
        watermark: "2026-01-31T11:59:55.500Z",
        backlog_files: 1,
        backlog_bytes: 2,
      },
      { event: "end", pipeline: "user-events", state: "DONE", exit_code: 0, error: null, ...totals },
    ]);
  });

  it("shows no password in the error of the end", async () => {
    const lines: string[] = [];
    const problem = "cannot reach postgres://ann:canary-4@db/x";
    await createJsonReporter("p", (line) => lines.push(line)).end(
      { state: "FAILED", exitCode: 1, problem },
      noCounts,
    );
    expect(JSON.parse(lines[0]!).error).to.equal("cannot reach postgres://ann:***@db/x");
  });
});

describe("createLiveReporter()", () => {
  it("draws one line again and again, and leaves the account", async () => {
    const [job, clock, written] = [new FakeJob(), new ManualClock(), [] as string[]];
    const output = { columns: 120, write: (text: string) => written.push(text) };
    const report = reportJob(
      job,
      [createLiveReporter(job, clock, new LiveLine(output), output)],
      listLog([]),
    );
    await clock.advance(1_000);
    job.emit({ type: "commit", commit: at(clock) });
    await clock.advance(200);
    job.emit({ type: "retry", reason: "the database is away", code: null, attempt: 1, delayMs: 2_000 });
    await clock.advance(200);
    job.state = "DRAINING";
    await clock.advance(200);
    await report.end(done);
    await settle();
    expect(written).to.deep.equal([
      "\r\x1b[2Kuser-events  0 records/s  0 written  no backlog",
      "\r\x1b[2Kuser-events  83 records/s  1,000 written  30 dead letters  no backlog  lag 500 ms",
      "\r\x1b[2Kuser-events  71 records/s  1,000 written  30 dead letters  no backlog  lag 500 ms  waiting 2.0 s: the database is away",
      "\r\x1b[2Kuser-events  63 records/s  1,000 written  30 dead letters  no backlog  lag 500 ms  draining",
      "\r\x1b[2K",
      "user-events  DONE  1,100 read: 1,000 written, 60 duplicates, 10 conflicts, 30 dead letters (invalid_price 30)\n",
    ]);
  });
});

describe("createLiveReporter() of a job with sinks in another database", () => {
  it("shows one that is away until it is back, over commits", async () => {
    const [job, clock, written] = [new FakeJob(), new ManualClock(), [] as string[]];
    const output = { columns: 160, write: (text: string) => written.push(text) };
    const report = reportJob(
      job,
      [createLiveReporter(job, clock, new LiveLine(output), output)],
      listLog([]),
    );
    const status = (awayReason: string | undefined) => ({
      ...{
        database: "reports",
        waitingEpochs: 3,
        waitingBytes: 100,
        firstWaitingEpoch: 4,
        lastWaitingEpoch: 6,
      },
      ...{ awaySinceMs: awayReason === undefined ? undefined : 0, awayReason },
    });
    job.emit({ type: "sink-database", status: status("connect ECONNREFUSED") });
    job.emit({ type: "commit", commit: at(clock) });
    await clock.advance(200);
    job.emit({ type: "sink-database", status: status(undefined) });
    await clock.advance(200);
    await report.end(done);
    const away = written.map((text) => text.includes('database "reports" is away: connect ECONNREFUSED'));
    expect(away.slice(1, 3)).to.deep.equal([true, false]);
  });
});

describe("LiveLine", () => {
  it("cuts to the terminal's width and lets others print above", () => {
    const written: string[] = [];
    const line = new LiveLine({ columns: 6, write: (text) => written.push(text) });
    line.show("abcdefgh");
    line.show("abcdefgh");
    line.printAbove(() => written.push("log\n"));
    expect(written).to.deep.equal(["\r\x1b[2Kabcde", "\r\x1b[2K", "log\n", "\r\x1b[2Kabcde"]);
  });

  it("takes a terminal without a size for one of 80 columns", () => {
    const written: string[] = [];
    new LiveLine({ columns: 0, write: (text) => written.push(text) }).show("x".repeat(100));
    expect(written).to.deep.equal([`\r\x1b[2K${"x".repeat(79)}`]);
  });
});

describe("ProgressMeter", () => {
  const commit = (atMs: number, records: number, backlogBytes: number) =>
    commitReport({
      committedAtMs: atMs,
      counts: { ...noCounts, recordsRead: records },
      eventTime: null,
      sources: [sourceProgress({ backlogBytes, backlogFiles: 2 })],
    });

  it("measures the rate over the last five seconds, and nothing after a silence", () => {
    const meter = new ProgressMeter(0, noCounts, []);
    meter.add(commit(1_000, 500, 0));
    meter.add(commit(6_000, 1_000, 0));
    expect(meter.at(6_000).recordsPerSecond).to.equal(200);
    expect(meter.at(20_000).recordsPerSecond).to.equal(0);
  });

  it("shows a bar over a big backlog, from where it was largest", () => {
    const meter = new ProgressMeter(0, noCounts, [sourceProgress({ backlogBytes: 8_000_000 })]);
    expect(meter.at(0).backlog).to.deep.equal({ doneShare: 0, remainingMs: null });
    meter.add(commit(1_000, 1_000, 10_000_000));
    meter.add(commit(3_000, 1_000, 4_000_000));
    const progress = meter.at(3_000);
    expect(progress.backlog).to.deep.equal({ doneShare: 0.6, remainingMs: (2_000 * 4) / 6 });
    expect(formatProgress("user-events", progress)).to.equal(
      "user-events  [████████████░░░░░░░░] 60 %  667 records/s  1,000 written  30 dead letters  backlog 2 files 4.0 MB  1.3 s left",
    );
  });

  it("shows none over a small one, nor once it is gone", () => {
    const meter = new ProgressMeter(0, noCounts, [sourceProgress({ backlogBytes: 100_000 })]);
    expect(meter.at(0).backlog).to.equal(null);
    meter.add(commit(1_000, 1_000, 9_000_000));
    meter.add(commit(2_000, 1_000, 0));
    expect(meter.at(2_000).backlog).to.equal(null);
  });
});

describe("formatProgress()", () => {
  it("says one file", () => {
    const progress: Progress = {
      totals: noCounts,
      recordsPerSecond: 0,
      backlogBytes: 999,
      backlogFiles: 1,
      lagMs: null,
      backlog: null,
    };
    expect(formatProgress("p", progress)).to.equal("p  0 records/s  0 written  backlog 1 file 999 B");
  });
});

describe("quantities", () => {
  it("formatCount() groups by thousands", () => {
    expect([0, 999, 1_000, 1_234_567.4].map(formatCount)).to.deep.equal(["0", "999", "1,000", "1,234,567"]);
  });
  it("formatBytes() shows three digits at most", () => {
    expect([0, 999, 1_000, 12_345, 99_960, 999_600, 5e12].map(formatBytes)).to.deep.equal([
      "0 B",
      "999 B",
      "1.0 kB",
      "12.3 kB",
      "100 kB",
      "1.0 MB",
      "5.0 TB",
    ]);
  });
  it("formatDuration() shows what matters", () => {
    const durations = [-5, 84, 1_234, 45_000, 720_000, 3 * 3_600_000, 12 * 86_400_000];
    expect(durations.map(formatDuration)).to.deep.equal([
      "0 ms",
      "84 ms",
      "1.2 s",
      "45 s",
      "12 min",
      "3 h",
      "12 d",
    ]);
  });
});

describe("formatTable()", () => {
  it("aligns numbers to the right, and lets no data steer the terminal", () => {
    const rows = [
      { name: "view", count: 12, share: null },
      { name: "a\x1b[2Jb", count: 3, share: "1.50" },
    ];
    expect(formatTable(rows)).to.deep.equal([
      "name    count  share",
      "──────  ─────  ─────",
      "view       12",
      "a�[2Jb      3   1.50",
    ]);
    expect(formatTable([])).to.deep.equal(["(no rows)"]);
  });
});
