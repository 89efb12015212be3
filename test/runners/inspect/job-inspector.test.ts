/** JobInspector without a database: what it tells of a job, and to whom. */
import { expect } from "chai";
import { JobInspector } from "../../../runners/inspect/job-inspector.js";
import type { InspectionEvent } from "../../../runners/job/job-inspection.js";
import type { GraphStep } from "../../../runners/job/job-view.js";
import { commitReport, FakeJob, ManualClock } from "../../pipelines/fake-job.js";

const NOBODY = { host: "127.0.0.1", port: 1, user: "nobody", database: "none" };
const SILENT = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const STEP: GraphStep = {
  ...{ id: "A/B", name: "B", composites: ["A"], urn: "u", kind: "parDo", stage: "A/B-1" },
  ...{ hasState: true, hasTimers: false, doFn: null },
};

describe("JobInspector", () => {
  const job = new FakeJob();
  let inspector: JobInspector;
  beforeEach(() => {
    inspector = new JobInspector(job, {
      ...{ runner: "flink", version: "1", connection: NOBODY, clock: new ManualClock(), log: SILENT },
      graph: { steps: [STEP], edges: [] },
      takesRetries: false,
      early: [
        { type: "retry", reason: "away", code: "08006", attempt: 1, delayMs: 10 },
        { type: "commit", commit: commitReport({ epoch: 1 }) },
      ],
      startedAtMs: 0,
    });
  });
  afterEach(() => inspector.close());

  it("tells the first who listens of what has happened since the start, and others of what follows", () => {
    job.emit({ type: "commit", commit: commitReport({ epoch: 2 }) });
    const heard: [string, string | number][] = [];
    const hear = (who: string) => (event: InspectionEvent) =>
      void heard.push([who, event.type === "batch" ? event.batch.epoch : event.sqlStateClass]);
    inspector.subscribe(hear("first"));
    inspector.subscribe(hear("second"));
    job.emit({ type: "commit", commit: commitReport({ epoch: 3 }) });
    expect(heard).to.deep.equal([
      ["first", "08"],
      ["first", 1],
      ["first", 2],
      ["first", 3],
      ["second", 3],
    ]);
  });

  it("gives reasons, and no zeros, where another process runs the steps", () => {
    const [step] = inspector.graph.steps;
    expect(step!.unknown).to.deep.equal({
      counts: "the job server runs the steps, and tells of them at the job's end",
      stateBytes: "the job server keeps it",
      samples: "the job server runs the steps",
    });
    const { id, counters, ...figures } = inspector.figures().steps[0]!;
    expect([id, counters]).to.deep.equal(["A/B", {}]);
    expect(new Set(Object.values(figures))).to.deep.equal(new Set([null]));
    expect(inspector.samples("A/B")).to.deep.equal({
      ...{ step: "A/B", reason: "the job server runs the steps", elements: [] },
    });
    expect(inspector.samples("C")).to.equal(undefined);
  });

  it("offers no retry of dead letters where the graph reads none", () => {
    expect(inspector.overview().actions).to.deep.equal(["drain", "cancel"]);
  });
});
