/** `directRunner({ commitLogDir })`: each run goes on where the one before it has committed last. */
import path from "node:path";
import { expect } from "chai";
import { type DirectRunnerOptions, directRunner, StepFailedError } from "millrace/runners";
import { listLog } from "../../../../runners/direct/log/log-files.js";
import { readSegment } from "../../../../runners/direct/log/read-segment.js";
import type { DirectPipelineResult } from "../../../../runners/direct/pipeline-result.js";
import { periodicImpulse } from "../../../../transforms/periodic-impulse.js";
import {
  JobState_Enum,
  P,
  type PCollection,
  type Root,
  withName,
} from "../../../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext, SetupContext } from "../../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../../transforms/primitives/par-do.js";
import { combiningState, valueState } from "../../../../transforms/primitives/state-spec.js";
import type { KV } from "../../../../transforms/primitives/window.js";
import { takeCollected, takeValues } from "../../../support/collected.js";
import { collect, DATABASE, NAME, numbers, ticks, until, windows } from "../number-pipelines.js";
import { failure, newFolder, removeFolders } from "./log-scene.js";

const PIPELINE = "sums";
/** Three numbers at once, and then nothing until the next run. */
const THREE = { atOnce: 3, delayMs: 3_600_000 };

/** What the log's last commit was when callbacks ran. */
const seen: { readonly values: number[]; readonly epoch: number }[] = [];

/** The sum so far, and what is in the log when its bundle is committed. */
class SumFn implements DoFn<KV<string, number>> {
  readonly sum = combiningState<number, number, number>({
    createAccumulator: () => 0,
    addInput: (a, b) => a + b,
    mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
    extractOutput: (sum) => sum,
  });
  #values: number[] = [];

  constructor(readonly folder: string) {}

  process({ value }: KV<string, number>, context: ProcessContext): void {
    if (value === failsAt) throw new TypeError("not today");
    context.state(this.sum).add(value);
    context.output(`sum ${context.state(this.sum).read()}`);
    this.#values.push(value);
    if (this.#values.length > 1) return;
    context.afterCommit(async () => {
      const segment = (await listLog(this.folder)).segments.at(-1)!;
      const { commits } = await readSegment(this.folder, segment, PIPELINE);
      seen.push({ values: this.#values, epoch: commits.at(-1)!.facts.epoch });
      this.#values = [];
    });
  }
}
let failsAt = -1;
const SUM = registerDoFn("sum@direct-runner-log", (folder: string) => new SumFn(folder));

/** The same step with another state. */
class OtherSumFn implements DoFn<KV<string, number>> {
  readonly sum = valueState<string>();
  process(): void {}
}
const OTHER_SUM = registerDoFn("other-sum@direct-runner-log", () => new OtherSumFn());

const KEY = registerDoFn("key@direct-runner-log", () => ({
  process: (value: number, context: ProcessContext) => context.output({ key: "all", value }),
}));

const runIds: (string | undefined)[] = [];
class RunIdFn implements DoFn {
  setup({ runId }: SetupContext): void {
    runIds.push(runId);
  }
  process(): void {}
}
const RUN_ID = registerDoFn("run-id@direct-runner-log", () => new RunIdFn());

describe("directRunner({ commitLogDir })", () => {
  let folder: string;
  let options: DirectRunnerOptions;
  beforeEach(async () => {
    folder = path.join(await newFolder(), "log");
    options = { commitLogDir: folder, pipelineName: PIPELINE, once: true };
    takeCollected(NAME);
    seen.length = 0;
    runIds.length = 0;
    failsAt = -1;
  });
  after(removeFolders);

  const run = (build: (root: Root) => void, more: DirectRunnerOptions = {}) =>
    directRunner(options).run(build, more);
  const start = (build: (root: Root) => void, more: DirectRunnerOptions = {}) =>
    directRunner(options).runAsync(build, more);

  function sums(input: PCollection<number>, fn = SUM): void {
    const keyed = P(input).apply(withName("Key", registeredParDo<number, KV<string, number>>(KEY, null)));
    collect(P(keyed).apply(withName("Sum", registeredParDo(fn, folder))));
  }
  const tickSums = (root: Root) => sums(ticks(root, THREE));
  const tickWindows = (root: Root) => collect(windows(ticks(root, { atOnce: 8, delayMs: 3_600_000 })));

  /** What was read until everything was at rest, and a stop. */
  async function readOnce(build: (root: Root) => void): Promise<unknown[]> {
    const { job } = await start(build, { once: false });
    let commits = 0;
    job.subscribe((event) => {
      if (event.type === "commit") commits += 1;
    });
    await until(() => commits > 0 || job.state === "FAILED");
    expect(await job.stop!(), String(job.failure)).to.equal("DONE");
    return takeValues(NAME);
  }

  it("refuses a folder without a name for the pipeline, with a connection, and no folder", async () => {
    const refusals: readonly [DirectRunnerOptions, string][] = [
      [{ commitLogDir: folder }, "a direct runner with a `commitLogDir` needs a `pipelineName`"],
      [{ commitLogDir: "", pipelineName: PIPELINE }, "`commitLogDir` must be the path of a folder, got ''"],
      [{ ...options, connection: {} }, "give it a `connection` or a `commitLogDir`, not both"],
    ];
    for (const [given, message] of refusals)
      expect((await failure(directRunner(given).run(tickSums))).message).to.contain(message);
  });

  it("goes on with state and residuals in the next run, which is another one", async () => {
    const build = (root: Root) => {
      tickSums(root);
      P(numbers(root, 1)).apply(withName("Run", registeredParDo(RUN_ID, null)));
    };
    expect(await readOnce(build)).to.deep.equal(["sum 0", "sum 1", "sum 3"]);
    const [first] = (await listLog(folder)).segments;
    expect((await readSegment(folder, first!, PIPELINE)).commits[0].facts).to.deep.include({
      ...{ kind: "snapshot", pipeline: PIPELINE, run: 1, runId: runIds[0], epoch: 1, watermarkMs: 2_000 },
    });
    const { job } = await start(build, { once: false, clock: later() });
    await until(() => seen.length > 1);
    await job.stop!();
    expect(takeValues(NAME)).to.deep.equal(["sum 6", "sum 10", "sum 15"]);
    expect(new Set(runIds).size).to.equal(2);
  });

  it("calls afterCommit when the commit is in the log, and not before", async () => {
    await readOnce(tickSums);
    expect(seen).to.deep.equal([{ values: [0, 1, 2], epoch: 1 }]);
  });

  it("runs impulses and what Create holds once in the pipeline's life", async () => {
    const build = (root: Root) => sums(numbers(root, 5, 6));
    await run(build);
    expect(takeValues(NAME)).to.deep.equal(["sum 5", "sum 11"]);
    await run(build);
    expect(takeValues(NAME)).to.deep.equal([]);
  });

  it("goes on behind a failure with what was committed before it", async () => {
    const build = (root: Root) => sums(ticks(root, { atOnce: 2, delayMs: 0 }));
    failsAt = 4;
    const error = await failure(run(build, { once: false }));
    expect(error).to.be.instanceOf(StepFailedError);
    const committed = seen.flatMap(({ values }) => values);
    expect(committed).to.deep.equal([0, 1, 2, 3]);
    failsAt = -1;
    takeValues(NAME);
    seen.length = 0;
    const { job } = await start(build, { once: false });
    await until(() => seen.length > 3);
    await job.cancel();
    expect(takeValues(NAME).slice(0, 3)).to.deep.equal(["sum 10", "sum 15", "sum 21"]);
  });

  it("keeps windows open from run to run, closes them with a drain, and is not started again behind it", async () => {
    expect(await readOnce(tickWindows)).to.deep.equal([]);
    const { job } = await start(tickWindows, { once: false });
    await until(() => job.state === "RUNNING");
    expect(await job.drain(), String(job.failure)).to.equal("DRAINED");
    expect(takeValues(NAME)).to.have.members(["even 0,2,4,6", "odd 1,3,5,7"]);
    const error = await failure(run(tickWindows));
    expect(error).to.have.property("code", "MILLRACE_PIPELINE_DRAINED");
    expect(error.message).to.match(/^pipeline "sums" was drained: its windows are closed/);
  });

  it("refuses another graph's state, another shape of it and another pipeline's log, by name", async () => {
    await readOnce(tickSums);
    const others = await failure(run((root) => collect(ticks(root, THREE))));
    expect(others).to.have.property("code", "MILLRACE_STATE_OF_OTHERS");
    const shape = await failure(run((root) => sums(ticks(root, THREE), OTHER_SUM)));
    expect(shape).to.have.property("code", "MILLRACE_STATE_SHAPE");
    expect(shape.message).to.match(
      /state "sum" of "Sum.*": was value of .*, is combining of|state "sum" of "Sum.*": was combining of .*, is value of/,
    );
    const name = await failure(run(tickSums, { pipelineName: "other" }));
    expect(name).to.have.property("code", "MILLRACE_LOG_OF_OTHERS");
    const { job } = await start(tickSums, { once: false, clock: later() });
    await until(() => seen.length > 1);
    await job.stop!();
    expect(takeValues(NAME)).to.deep.equal(["sum 6", "sum 10", "sum 15"]);
  });

  it("refuses a step that asks for the database or a transaction, by name", async () => {
    for (const wants of ["database", "transaction"]) {
      const error = await failure(
        run((root) => {
          P(numbers(root, 1)).apply(withName("Asks", registeredParDo(DATABASE, wants)));
        }),
      );
      expect(error.message).to.contain("Asks").and.to.contain(wants).and.to.contain("has no database");
    }
  });

  it("ends a run that was taken over also while it has nothing to do", async () => {
    const first = await start(tickSums, { once: false });
    await until(() => seen.length > 0);
    const second: DirectPipelineResult = await start(tickSums, { once: false, takeover: true });
    expect(await first.waitUntilFinish()).to.equal(JobState_Enum.FAILED);
    expect(first.failure).to.have.property("code", "MILLRACE_FENCED");
    expect(await second.job.stop!()).to.equal("DONE");
  });

  it("goes on with the moments of a periodicImpulse", async () => {
    const startMs = Date.now() - 10_000;
    const build = (root: Root) =>
      collect(root.apply(withName("Periodic", periodicImpulse({ startMs, intervalMs: 1_000 }))));
    const first = (await readOnce(build)) as number[];
    const { job } = await start(build, { once: false, clock: later(5_000) });
    let values: number[] = [];
    await until(() => {
      values = [...values, ...(takeValues(NAME) as number[])];
      return values.length >= 5;
    });
    await job.cancel();
    const all = [...first, ...values];
    expect(first[0]).to.equal(startMs);
    expect(all).to.deep.equal(all.map((_, n) => startMs + n * 1_000));
  });
});

/** The system's clock, as it will be. */
function later(ms = 4_000_000): NonNullable<DirectRunnerOptions["clock"]> {
  return {
    now: () => Date.now() + ms,
    monotonicMs: () => performance.now() + ms,
    sleep: (sleepMs, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.min(sleepMs, 1 << 30));
        const end = () => {
          clearTimeout(timer);
          resolve();
        };
        if (signal?.aborted) end();
        else signal?.addEventListener("abort", end, { once: true });
      }),
  };
}
