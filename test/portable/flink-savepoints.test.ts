/** Savepoints and drain of a streaming job on a real Flink. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { RunningJobServer } from "../../runners/portable/job-servers/start-job-server.js";
import { PipelineOptionsError } from "../../runners/portable/pipeline-options.js";
import type { PortablePipelineResult } from "../../runners/portable/portable-result.js";
import { portableRunner } from "../../runners/portable/portable-runner.js";
import { impulse, JobState_Enum, P, type Root, withName } from "../../transforms/primitives/beam.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import { KeptLog, Output, startServer, torturedModule } from "./targets.js";
import { COLLECT, COUNTING } from "./torture-fns.js";

const WAIT_MS = 60_000;

describe("a streaming job on Flink", () => {
  let server: RunningJobServer;
  let output: Output;
  let savepoints: string;
  let running: PortablePipelineResult[];
  let log: KeptLog;

  before("server", async function () {
    this.timeout(600_000);
    server = await startServer("flink");
  });
  after(() => server.stop());
  beforeEach(() => {
    output = new Output();
    savepoints = mkdtempSync(path.join(tmpdir(), "millrace-savepoints-"));
    running = [];
    log = new KeptLog();
  });
  afterEach(async () => {
    for (const result of running) await result.cancel().catch(() => undefined); // it may have ended
    output.remove();
    rmSync(savepoints, { recursive: true, force: true });
  });

  /** Counts without end, ten numbers at a time, and checkpoints itself between them. */
  async function startCounting(
    options: Record<string, string> = {},
    end = 1e9,
  ): Promise<PortablePipelineResult> {
    const counting = splittableParDo<unknown, unknown>(
      COUNTING,
      { end, perCall: 10, delayMs: 50 },
      { bounded: false },
    );
    const build = (root: Root) =>
      P(root.apply(withName("Impulse", impulse())))
        .apply(withName("Count", counting))
        .apply(withName("Collect", registeredParDo<unknown, unknown>(COLLECT, output.file)));
    const runner = portableRunner({
      jobEndpoint: server.endpoint,
      modules: [torturedModule],
      pipelineOptions: {
        streaming: true,
        checkpointing_interval: 500,
        max_bundle_time_mills: 100,
        parallelism: 1,
        ...options,
      },
      log,
    });
    const result = await runner.runAsync(build);
    running.push(result);
    return result;
  }

  const numbers = () => output.lines().map((line) => Number.parseInt(line, 10));
  async function counted(count: number): Promise<void> {
    for (const deadline = Date.now() + WAIT_MS; numbers().length < count; await sleep(50)) {
      if (Date.now() > deadline)
        throw new Error(
          `${numbers().length} numbers after ${WAIT_MS} ms, not ${count}:\n${log.lines.join("\n")}`,
        );
    }
  }

  it("writes a savepoint and goes on", async () => {
    const result = await startCounting();
    await counted(50);
    const savepoint = await result.savepoint(savepoints);
    expect(readdirSync(new URL(savepoint))).to.include("_metadata");
    await counted(numbers().length + 50);
    expect(await result.cancel()).to.equal(JobState_Enum.CANCELLED);
    const all = numbers();
    expect(new Set(all).size, "each once").to.equal(all.length);
    expect(Math.max(...all) + 1, "none left out").to.equal(all.length);
  });

  it("does not begin anew where it was to go on from a savepoint", async () => {
    const error = await startCounting({ savepoint_path: "file:/nowhere" }).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(PipelineOptionsError);
    expect((error as Error).message).to.match(/^pipeline option savepoint_path needs a Flink cluster/);
  });

  it("is really over when it was cancelled", async () => {
    const result = await startCounting();
    await counted(20);
    expect(await result.cancel()).to.equal(JobState_Enum.CANCELLED);
    const { length } = numbers();
    await sleep(3_000);
    expect(numbers().length).to.equal(length);
    expect(log.lines.filter((line) => line.startsWith("warn"))).to.deep.equal([]);
  });

  it("runs to its end at once when it is drained", async () => {
    const end = 1_000;
    const result = await startCounting({}, end);
    await counted(50);
    expect(await result.drain({ savepointDir: savepoints })).to.equal(JobState_Enum.DONE);
    expect(numbers().sort((a, b) => a - b)).to.deep.equal(Array.from({ length: end }, (_, i) => i));
  });
});
