/** The main pipeline on a real Spark standalone cluster with a pool of worker processes, and what is killed of it. */
import { expect } from "chai";
import { startJobServer } from "./our-programs.js";
import { eventually, type RunningProgram } from "./running-program.js";
import { reasonOf, Scene } from "./scene.js";
import { SparkCluster } from "./spark-cluster.js";

describe("user-events on a Spark standalone cluster", () => {
  let scene: Scene;
  let cluster: SparkCluster;
  let server: RunningProgram | undefined;
  let flags: readonly string[];

  before("cluster", async function () {
    this.timeout(1_200_000);
    cluster = await SparkCluster.start();
    scene = await Scene.create();
  });
  // one job server has one SparkContext, which a killed client leaves behind
  beforeEach("job server", async () => {
    const started = await startJobServer(["spark", `--spark-master-url=${cluster.masterUrl}`], {
      JAVA_TOOL_OPTIONS: cluster.driverFlags,
    });
    server = started.program;
    // one worker for each of the two executors
    flags = ["--runner=spark", `--job-endpoint=${started.endpoint}`, "--parallelism=1", ...cluster.jobFlags];
  });
  afterEach(async () => {
    await scene.endRuns();
    await server?.kill("SIGTERM");
  });
  after(async () => {
    await cluster?.stop();
    await scene?.remove();
  });

  it("leaves what the direct runner leaves, the work spread over both executors and both workers", async () => {
    const here = await scene.begin(flags);
    const running = here.run();
    const workers = await here.workersAtATime(running);
    const { code, errors } = await running;
    expect(code, errors).to.equal(0);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
    expect(workers).to.equal(2);
    for (const bundles of here.pool.bundlesAnswered()) expect(bundles).to.be.greaterThan(0);
    const tasks = [...(await cluster.tasksDone()).values()];
    expect(tasks).to.have.lengthOf(2);
    for (const done of tasks) expect(done).to.be.greaterThan(1);
  });

  it("an executor killed in the midst of its rows is replaced, and its tasks run again", async () => {
    const here = await scene.begin(flags);
    await here.gate.close();
    const running = here.run();
    await here.gate.untilWaiting(2);
    const before = cluster.executors();
    process.kill(before[0]!, "SIGKILL");
    await here.gate.open();
    const { code, errors } = await running;
    expect(code, errors).to.equal(0);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
  });

  it("a worker killed in the midst of its rows is replaced, and its task runs again", async () => {
    const here = await scene.begin(flags);
    await here.gate.close();
    const running = here.run();
    await here.gate.untilWaiting(2);
    process.kill(here.pool.workers()[0]!, "SIGKILL");
    await here.gate.open();
    const { code, errors } = await running;
    expect(code, errors).to.equal(0);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
  });

  it("without its pool a job fails with the reason, and the next run is exact", async () => {
    const here = await scene.begin(flags);
    await here.gate.close();
    const running = here.run();
    await here.gate.untilWaiting(2);
    await here.pool.program.kill();
    await here.gate.open();
    const { code, errors } = await running;
    expect(code).to.equal(1);
    expect(reasonOf(errors)).to.equal(
      `the worker pool at ${here.pool.endpoint} is gone: the job's server asked it for a worker, and nobody answered`,
    );
    await here.restartPool();
    const again = await here.run();
    expect(again.code, again.errors).to.equal(0);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
  });

  it("after its client was killed the next run is exact", async () => {
    const here = await scene.begin(flags);
    await here.gate.close();
    const first = here.start();
    await here.gate.untilWaiting(2);
    first.kill("SIGKILL");
    await here.gate.open();
    const again = await here.run();
    expect(again.code, again.errors).to.equal(0);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
  });

  it("after its client was killed in reading the next run ends the job that was left, and is exact", async () => {
    const here = await scene.begin(flags);
    const first = here.start();
    await eventually("a worker", () => here.pool.workers().length > 0 || undefined);
    first.kill("SIGKILL");
    const { code, errors } = await here.run();
    expect(code, errors).to.equal(0);
    expect(errors).to.match(/cancelling job "[^"]+", left on the job server by an earlier run/);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
  });
});
