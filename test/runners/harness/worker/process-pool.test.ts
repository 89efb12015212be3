/** startProcessPool() and startWorkerThread(): workers that really run, and how each of them ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { startProcessPool } from "../../../../runners/harness/worker/process-pool.js";
import type { RunningWorker } from "../../../../runners/harness/worker/running-worker.js";
import type { WorkerPool } from "../../../../runners/harness/worker/worker-pool.js";
import { harnessModule } from "../../../../runners/harness/worker/worker-spec.js";
import { startWorkerThread } from "../../../../runners/harness/worker/worker-thread.js";
import type { Log } from "../../../../transforms/primitives/do-fn.js";
import { FakeRunner } from "../support/fake-runner.js";
import { OfferedStage } from "../support/offered-stage.js";
import { PoolClient } from "../support/pool-client.js";
import { element } from "../support/test-worker.js";
import { LOOP, PID, UNCAUGHT } from "../support/worker-fns.js";

const FNS = new URL("../support/worker-fns.js", import.meta.url).href;
const POOL_PROGRAM = fileURLToPath(new URL("../support/pool-program.js", import.meta.url));
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

describe("workers in processes", function () {
  this.timeout(120_000);
  let runner: FakeRunner;
  let pool: WorkerPool | undefined;
  let client: PoolClient | undefined;

  beforeEach(async () => {
    runner = await FakeRunner.start();
    pool = undefined;
  });

  afterEach(async () => {
    client?.close();
    await pool?.stop();
    runner.kill();
  });

  async function startPool(modules: readonly string[] = [FNS], log: Log = quiet): Promise<PoolClient> {
    pool = await startProcessPool({
      ...{ host: "127.0.0.1", port: 0, processes: 1, root: process.cwd(), modules, log },
    });
    client = new PoolClient(pool.endpoint);
    return client;
  }

  /** Of the worker, by a bundle of it. */
  async function pidOfWorker(): Promise<number> {
    const stage = OfferedStage.ofStep(runner, PID);
    const answer = runner.begin("pid", stage.id);
    await runner.send("pid", stage.chunk([element(1)], true));
    expect((await answer).error).to.equal("");
    const [pid] = await stage.sent("pid");
    return pid as number;
  }

  it("a pool forks a process a worker up to --processes, and stops it when the runner asks", async () => {
    const one = await startPool();
    expect(await one.start("1", runner.endpoint)).to.equal("");
    const pid = await pidOfWorker();
    expect(pid).to.not.equal(process.pid);
    expect(await one.start("2", runner.endpoint)).to.equal(
      "worker 2 was not started: all places of this pool are taken (--processes=1): " +
        "start it with more, or the job with a lower sdk_worker_parallelism",
    );
    expect(await one.stop("1")).to.equal("");
    expect(isRunning(pid)).to.equal(false);
  });

  it("a worker ends with its control stream, and its place is free", async () => {
    const one = await startPool();
    expect(await one.start("1", runner.endpoint)).to.equal("");
    const pid = await pidOfWorker();
    await runner.closeControl();
    await gone(pid);
    while ((await one.start("2", runner.endpoint)) !== "") await later(20);
  });

  it("says whose worker ended, and after how many bundles", async () => {
    const lines: string[] = [];
    const keep = (line: string) => void lines.push(line);
    const one = await startPool([FNS], { ...quiet, debug: keep, info: keep });
    expect(await one.start("1", runner.endpoint)).to.equal("");
    const pid = await pidOfWorker();
    await runner.closeControl();
    await gone(pid);
    while (lines.at(-1)?.endsWith(": ended") !== true) await later(20);
    expect(lines).to.deep.equal([
      `worker 1 started for ${runner.endpoint}`,
      `worker 1 of ${runner.endpoint}: it has answered 1 bundles`,
      `worker 1 of ${runner.endpoint}: ended`,
    ]);
  });

  it("a worker ends with its pool when that is killed", async () => {
    const program = spawn(process.execPath, [POOL_PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(program.stdout!, "data")) as [Buffer];
    client = new PoolClient(line.toString().trim());
    expect(await client.start("1", runner.endpoint)).to.equal("");
    const pid = await pidOfWorker();
    program.kill("SIGKILL");
    await gone(pid);
  });

  it("a worker in a loop that lets nobody in is stopped by force", async () => {
    const one = await startPool();
    expect(await one.start("1", runner.endpoint)).to.equal("");
    const pid = await pidOfWorker();
    const stage = OfferedStage.ofStep(runner, LOOP, "loop");
    void runner.begin("loop", stage.id);
    await runner.send("loop", stage.chunk([element(1)], true));
    await later(200);
    expect(await one.stop("1")).to.equal("");
    expect(isRunning(pid)).to.equal(false);
  });
});

describe("startWorkerThread()", function () {
  this.timeout(60_000);
  let runner: FakeRunner;
  const refused: string[] = [];

  beforeEach(async () => {
    runner = await FakeRunner.start();
    refused.length = 0;
  });
  afterEach(() => runner.kill());

  function start(modules: readonly string[]): RunningWorker {
    return startWorkerThread(
      {
        ...{ workerId: "w", controlEndpoint: runner.endpoint, root: process.cwd(), modules },
        ...{ takesStagedModules: false, harness: harnessModule },
      },
      { log: quiet, stopGraceMs: 1_000, onRefused: (reason) => refused.push(reason) },
    );
  }

  it("ends in order with its control stream", async () => {
    const worker = start([FNS]);
    const stage = OfferedStage.ofStep(runner, PID);
    const answer = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(1)], true));
    expect((await answer).error).to.equal("");
    await runner.closeControl();
    expect(await worker.whenEnded).to.deep.equal({ exitCode: 0, problem: undefined });
  });

  it("says what nobody has caught", async () => {
    const worker = start([FNS]);
    const stage = OfferedStage.ofStep(runner, UNCAUGHT);
    void runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(1)], true));
    const { exitCode, problem } = await worker.whenEnded;
    expect([exitCode, problem]).to.deep.equal([1, "nobody catches this"]);
  });

  it("of a module that cannot be imported tells the runner, and ends with that reason", async () => {
    const worker = start(["file:///nowhere/fns.js"]);
    const answer = await runner.begin("1", "any");
    expect(answer.error).to.match(
      /^worker w cannot start: module file:\/\/\/nowhere\/fns.js could not be imported: /,
    );
    expect(refused).to.deep.equal([answer.error]);
    await runner.closeControl();
    const { exitCode, problem } = await worker.whenEnded;
    expect(exitCode).to.equal(1);
    expect(problem).to.match(/module file:\/\/\/nowhere\/fns.js could not be imported/);
  });
});

async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) await later(20);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).to.equal("ESRCH");
    return false;
  }
}
