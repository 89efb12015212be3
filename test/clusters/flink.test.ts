/** The main pipeline on a real Flink session cluster with a pool of worker processes, and what is killed of it. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { endOf } from "../portable/stand.js";
import { FlinkCluster } from "./flink-cluster.js";
import { startJobServer } from "./our-programs.js";
import type { RunningProgram } from "./running-program.js";
import { reasonOf, Scene } from "./scene.js";

describe("user-events on a Flink session cluster", () => {
  let scene: Scene;
  let cluster: FlinkCluster;
  let server: RunningProgram | undefined;
  let flags: readonly string[];

  before("cluster", async function () {
    this.timeout(1_200_000);
    cluster = await FlinkCluster.start();
    scene = await Scene.create();
    const started = await startJobServer(["flink", `--flink-master=${cluster.rest}`]);
    server = started.program;
    const where = [`--job-endpoint=${started.endpoint}`, `--flink-rest=${cluster.rest}`];
    flags = ["--runner=flink", ...where, "--parallelism=2", ...cluster.jobFlags];
  });
  afterEach(() => scene.endRuns());
  after(async () => {
    await server?.kill("SIGTERM");
    await cluster?.stop();
    await scene?.remove();
  });

  it("leaves what the direct runner leaves, the work spread over both TaskManagers and both workers", async () => {
    const here = await scene.begin(flags);
    const running = here.run();
    const workers = await here.workersAtATime(running);
    const { code, errors } = await running;
    expect(code, errors).to.equal(0);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
    expect(workers).to.equal(2);
    for (const bundles of here.pool.bundlesAnswered()) expect(bundles).to.be.greaterThan(0);
    const records = [...(await cluster.recordsRead()).values()];
    expect(records).to.have.lengthOf(2);
    for (const read of records) expect(read).to.be.greaterThan(0);
  });

  it("a TaskManager killed in the midst of its rows: the job goes on with the other", async () => {
    const here = await scene.begin(flags);
    await here.gate.close();
    const running = here.run();
    await here.gate.untilWaiting(2);
    await cluster.killTaskManager();
    await here.gate.open();
    const { code, errors } = await running;
    expect(code, errors).to.equal(0);
    expect(await here.stand.result()).to.deep.equal(scene.expected);
    cluster.addTaskManager();
    await cluster.untilTaskManagers(2);
  });

  it("a worker killed in the midst of its rows is replaced, and the job starts again", async () => {
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
      "the server was refused a connection that the job needs (it does not say which): is the worker pool there, " +
        "and the server's cluster?",
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

  it("a stream whose TaskManager is killed goes on from its checkpoint, and is drained", async () => {
    // an equal repeat of a row that the table refuses is dropped as a repeat in Flink's state: here it refuses none
    const here = await scene.begin(flags, false);
    const watched = join(here.stand.folder, "raw");
    const isEven = (name: string) => !/[13579]\.csv$/.test(name);
    await cp(scene.input, watched, { recursive: true, preserveTimestamps: true, filter: isEven });
    const stream = here.start([], watched);
    const end = endOf(stream);
    await here.stand.untilRows(1);
    await cluster.killTaskManager();
    await cp(scene.input, watched, { recursive: true, preserveTimestamps: true, force: false });
    const { rows, letters, lettersChecksum, records } = scene.expectedUnrefused;
    await here.stand.untilRows(rows);
    stream.kill("SIGINT");
    const { code, errors } = await end;
    expect(code, errors).to.equal(0);
    const result = await here.stand.result();
    expect({
      ...{ rows: result.rows, letters: result.letters },
      ...{ lettersChecksum: result.lettersChecksum, records: result.records },
    }).to.deep.equal({ rows, letters, lettersChecksum, records });
    cluster.addTaskManager();
    await cluster.untilTaskManagers(2);
  });
});
