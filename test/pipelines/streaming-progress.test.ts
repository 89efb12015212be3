/** toStreamingProgress(): the metrics log in the field names of Spark's StreamingQueryProgress. */
import { expect } from "chai";
import { createMetricsReporter, toStreamingProgress } from "../../pipelines/reporting/streaming-progress.js";
import { commitReport, noCounts } from "./fake-job.js";

const done = { state: "DONE", exitCode: 0, problem: undefined } as const;

describe("toStreamingProgress()", () => {
  it("has the fields of Spark's StreamingQueryProgress in its order, then ours", () => {
    const progress = toStreamingProgress(
      commitReport(),
      Date.UTC(2026, 0, 31, 12) - 200,
      "db:5432/shop as ann",
    );
    expect(JSON.parse(JSON.stringify(progress))).to.deep.equal({
      id: "05325486-8ae2-55b8-95f2-f267a1fbc402",
      runId: "11111111-2222-4333-8444-555555555555",
      name: "user-events",
      timestamp: "2026-01-31T12:00:00.800Z",
      batchId: 7,
      batchDuration: 200,
      numInputRows: 100,
      inputRowsPerSecond: 100,
      processedRowsPerSecond: 500,
      durationMs: { read: 50, wait: 10, sink: 120, commit: 20, triggerExecution: 200 },
      eventTime: {
        min: "2026-01-31T11:59:59.500Z",
        max: "2026-01-31T12:00:00.500Z",
        watermark: "2026-01-31T11:59:55.500Z",
      },
      stateOperators: [],
      sources: [
        {
          description: "data/raw",
          startOffset: { "a.csv": 0 },
          endOffset: { "a.csv": 6_400 },
          numInputRows: 100,
          inputRowsPerSecond: 100,
          processedRowsPerSecond: 500,
          backlog_files: 0,
          backlog_bytes: 0,
        },
      ],
      sink: { description: "db:5432/shop as ann", numOutputRows: 90 },
      duplicates: 4,
      conflicts: 1,
      dead_letters: { invalid_price: 5 },
      totals: {
        records_read: 1_100,
        events_written: 1_000,
        duplicates: 60,
        conflicts: 10,
        dead_letters: { invalid_price: 30 },
      },
    });
  });

  it("leaves out times that are not known, and tells Beam's end of time as a number", () => {
    const unknown = toStreamingProgress(commitReport({ eventTime: null, watermarkMs: null }), undefined, "s");
    expect(unknown).to.deep.include({ eventTime: {}, inputRowsPerSecond: 0 });
    const endOfTime = toStreamingProgress(
      commitReport({ eventTime: null, watermarkMs: 9_223_371_950_454_776 }),
      undefined,
      "s",
    );
    expect(endOfTime.eventTime).to.deep.equal({ watermark: "9223371950454776" });
  });

  it("keeps its id over runs and has another one for another pipeline", () => {
    const idOf = (pipeline: string) => toStreamingProgress(commitReport({ pipeline }), undefined, "s").id;
    expect(idOf("a")).to.equal(idOf("a")).and.not.equal(idOf("b"));
    expect(idOf("a")).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("is appended at every commit and closed at the end", async () => {
    const calls: unknown[] = [];
    const log = {
      append: (record: object) => void calls.push((record as { batchId: number }).batchId),
      close: async () => void calls.push("close"),
    };
    const reporter = createMetricsReporter(log, "s");
    reporter.commit(commitReport({ epoch: 1 }));
    reporter.commit(commitReport({ epoch: 2 }));
    await reporter.end(done, noCounts);
    expect(calls).to.deep.equal([1, 2, "close"]);
  });
});
