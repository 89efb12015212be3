/** What a job's figures say in one sentence, and its latencies and samples as numbers. */
import { expect } from "chai";
import { type Latency, percentiles } from "../../../runners/inspect/latencies.js";
import { SampleStep } from "../../../runners/inspect/sample-steps.js";
import { toSeries } from "../../../runners/inspect/series.js";
import { type Judged, verdictOf } from "../../../runners/inspect/verdict.js";
import type { Batch } from "../../../runners/job/job-view.js";

const nowMs = 1_800_000_000_000;
const counts = { recordsRead: 1_000, eventsWritten: 1_000, duplicates: 0, conflicts: 0, deadLetters: {} };

function judged(more: Partial<Judged>): Judged {
  return {
    ...{ pipeline: "p", runner: "direct", runId: null, version: "1", state: "RUNNING", isPaused: false },
    ...{ failure: null, startedAtMs: nowMs, nowMs, retries: 0, inPerSecond: 10.4, outPerSecond: 10 },
    ...{ latencyMs: null, backlogFiles: 0, backlogBytes: 0, watermarkMs: null, watermarkLagMs: null },
    ...{ epoch: 1, lastCommitAtMs: nowMs, totals: counts, actions: [] },
    process: { pid: 1, host: "h", cpuShare: 0, rssBytes: 0 },
    ...more,
  };
}

describe("verdictOf()", () => {
  const cases: [Partial<Judged>, string, RegExp][] = [
    [{}, "ok", /^All is well: everything that is there has been read/],
    [
      { backlogFiles: 2, backlogBytes: 1_500_000 },
      "ok",
      /catching up with 2 files \(1\.5 MB\) at 10 records\/s/,
    ],
    [
      { backlogFiles: 1, startedAtMs: 0, lastCommitAtMs: nowMs - 61_000 },
      "error",
      /^1 file is waiting and nothing was committed for a minute/,
    ],
    [
      { isPaused: true, backlogFiles: 3 },
      "warning",
      /paused and reads nothing\. 3 files are waiting\. Resume/,
    ],
    [{ failure: "connect ECONNREFUSED" }, "error", /waiting to try again: connect ECONNREFUSED/],
    [{ state: "FAILED", failure: "disk full" }, "error", /^It failed: disk full\./],
    [{ state: "DRAINED" }, "ok", /^It has ended/],
    [{ state: "STARTING" }, "warning", /^It is starting/],
    [
      { totals: { ...counts, deadLetters: { field_count: 200 } } },
      "warning",
      /^20 % of all records became dead/,
    ],
  ];
  cases.push([{ lastCommitAtMs: null }, "ok", /^It runs, and nothing was committed yet/]);
  for (const [facts, level, sentence] of cases) {
    it(`says ${level} of ${JSON.stringify(facts)}`, () => {
      const verdict = verdictOf(judged(facts));
      expect(verdict.level).to.equal(level);
      expect(verdict.sentence).to.match(sentence);
    });
  }
});

describe("percentiles()", () => {
  it("weighs each latency, and is null of none", () => {
    const latencies: Latency[] = [
      { ms: 10, weight: 90 },
      { ms: 1_000, weight: 9 },
      { ms: 9_000, weight: 1 },
    ];
    expect(percentiles(latencies)).to.deep.equal({ p50: 10, p95: 1_000, p99: 1_000, max: 9_000 });
    expect(percentiles([])).to.equal(null);
  });
});

describe("SampleStep", () => {
  const gauges = { watermarkLagMs: 5, backlogBytes: 7, backlogFiles: 1, rssBytes: 100, cpuShare: 0.5 };
  const batch = (recordsRead: number): Batch =>
    ({
      ...{ startedAtMs: 0, committedAtMs: 40 },
      counts: {
        ...counts,
        recordsRead,
        eventsWritten: recordsRead - 3,
        deadLetters: { a: 1, b: 1 },
        duplicates: 1,
      },
    }) as unknown as Batch;

  it("adds up a step, gives it when it has ended, and begins anew", () => {
    const step = new SampleStep(1_000, 5_200);
    step.add(batch(10), [{ ms: 100, weight: 1 }]);
    step.add(batch(20), []);
    expect(step.tick(5_900, gauges)).to.equal(undefined);
    expect(step.tick(6_100, { ...gauges, cpuShare: 0.1 })).to.deep.equal({
      ...gauges,
      ...{ stepMs: 1_000, atMs: 5_000, batches: 2, recordsRead: 30, eventsWritten: 24, duplicates: 2 },
      ...{ deadLetters: 4, batchMs: 80, latencyP50Ms: 100, latencyP99Ms: 100, cpuShare: 0.3 },
    });
    expect(step.tick(7_100, gauges)).to.include({
      atMs: 6_000,
      batches: 0,
      recordsRead: 0,
      latencyP50Ms: null,
    });
  });
});

describe("toSeries()", () => {
  const span = {
    ...{ atMs: 0, coveredMs: 2_000, batches: 4, recordsRead: 1_000, eventsWritten: 500, duplicates: 10 },
    ...{ deadLetters: 20, batchMs: 500, latencyP50Ms: null, latencyP99Ms: null, watermarkLagMs: -3 },
    ...{ backlogBytes: 0, backlogFiles: 0, rssBytes: 5, cpuShare: 0.25 },
  };

  it("gives rates, means and nulls by name, and how often each value came", () => {
    const idle = { ...span, atMs: 2_000, batches: 0, recordsRead: 0, batchMs: 0 };
    const { atMs, values, histograms } = toSeries([span, idle], 0, 4_000);
    expect(atMs).to.deep.equal([0, 2_000]);
    expect(values).to.deep.include({
      inPerSecond: [500, 0],
      outPerSecond: [250, 250],
      processedPerSecond: [2_000, null],
      batchDurationMs: [125, null],
      recordsPerBatch: [250, null],
      latencyP99Ms: [null, null],
      deadLettersPerSecond: [10, 10],
    });
    expect(histograms["inPerSecond"]!.counts).to.deep.equal([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(histograms["inPerSecond"]!.upTo.at(-1)).to.equal(500);
    expect(histograms["latencyP50Ms"]).to.deep.equal({ upTo: [], counts: [] });
    expect(histograms["backlogBytes"]).to.deep.equal({ upTo: [0], counts: [2] });
  });
});
