/** A job that goes on from a savepoint on a real Flink session cluster, which a Flink inside a job server cannot. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { portableRunner } from "../../runners/portable/portable-runner.js";
import { impulse, JobState_Enum, P, type Root, withName } from "../../transforms/primitives/beam.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import { KeptLog, Output, torturedModule } from "../portable/targets.js";
import { COLLECT, COUNTING } from "../portable/torture-fns.js";
import { FlinkCluster } from "./flink-cluster.js";
import { startJobServer } from "./our-programs.js";
import { eventually, type RunningProgram } from "./running-program.js";

describe("a streaming job on a Flink session cluster", () => {
  let cluster: FlinkCluster;
  let server: { readonly program: RunningProgram; readonly endpoint: string };
  let output: Output;
  let savepoints: string;

  before("cluster", async function () {
    this.timeout(1_200_000);
    cluster = await FlinkCluster.start();
    server = await startJobServer(["flink", `--flink-master=${cluster.rest}`]);
    output = new Output();
    savepoints = await mkdtemp(join(tmpdir(), "millrace-savepoints-"));
  });
  after(async () => {
    await server?.program.kill("SIGTERM");
    await cluster?.stop();
    output?.remove();
    await rm(savepoints, { recursive: true, force: true });
  });

  /** Counts without end, ten numbers at a time, and checkpoints itself between them. */
  function start(options: Record<string, JsonValue> = {}) {
    const counting = splittableParDo<unknown, unknown>(
      COUNTING,
      { end: 1e9, perCall: 10, delayMs: 50 },
      { bounded: false },
    );
    const build = (root: Root) =>
      P(root.apply(withName("Impulse", impulse())))
        .apply(withName("Count", counting))
        .apply(withName("Collect", registeredParDo<unknown, unknown>(COLLECT, output.file)));
    const streaming = { streaming: true, checkpointing_interval: 500, max_bundle_time_mills: 100 };
    return portableRunner({
      ...{ jobEndpoint: server.endpoint, flinkRest: cluster.rest, modules: [torturedModule] },
      pipelineOptions: { ...streaming, parallelism: 1, ...cluster.jobOptions, ...options },
      log: new KeptLog(),
    }).runAsync(build);
  }

  const numbers = () => output.lines().map((line) => Number.parseInt(line, 10));
  const counted = (count: number) =>
    eventually(`${count} numbers`, () => numbers().length >= count || undefined);

  it("goes on from its savepoint with the same graph: nothing is left out, and it does not begin anew", async () => {
    const first = await start();
    await counted(50);
    const savepoint = await first.savepoint(savepoints);
    expect(await first.cancel()).to.equal(JobState_Enum.CANCELLED);
    const before = numbers();
    const second = await start({ savepoint_path: savepoint });
    await counted(before.length + 50);
    expect(await second.cancel()).to.equal(JobState_Enum.CANCELLED);
    const all = numbers();
    const repeated = all.length - new Set(all).size;
    expect(
      all.filter((number) => number === 0),
      "the first number comes once",
    ).to.have.lengthOf(1);
    expect(new Set(all).size, "none is left out").to.equal(Math.max(...all) + 1);
    expect(repeated, "no more comes again than came after the savepoint").to.be.lessThan(before.length - 40);
  });
});
