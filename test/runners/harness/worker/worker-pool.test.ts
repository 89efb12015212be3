/** serveWorkerPool(): which workers a runner gets, and which of them it stops. */
import { expect } from "chai";
import type { RunningWorker, WorkerEnd } from "../../../../runners/harness/worker/running-worker.js";
import { serveWorkerPool, type WorkerPool } from "../../../../runners/harness/worker/worker-pool.js";
import { PoolClient } from "../support/pool-client.js";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Runs until it is told to end. */
class FakeWorker implements RunningWorker {
  readonly job = undefined;
  readonly whenEnded: Promise<WorkerEnd>;
  end: () => void = () => undefined;
  isStopped = false;

  constructor(readonly name: string) {
    this.whenEnded = new Promise((resolve) => {
      this.end = () => resolve({ exitCode: 0, problem: undefined });
    });
  }

  stop(): Promise<WorkerEnd> {
    this.isStopped = true;
    this.end();
    return this.whenEnded;
  }
}

describe("serveWorkerPool()", () => {
  const started: FakeWorker[] = [];
  let pool: WorkerPool;
  let one: PoolClient;
  let other: PoolClient;
  let startError: Error | undefined;

  beforeEach(async () => {
    started.length = 0;
    startError = undefined;
    pool = await serveWorkerPool({
      ...{ host: "127.0.0.1", port: 0, workersMax: 2, fullMessage: "there are two places", log: quiet },
      start: (workerId, { controlEndpoint }) => {
        if (startError !== undefined) throw startError;
        const worker = new FakeWorker(`${workerId} of ${controlEndpoint}`);
        started.push(worker);
        return worker;
      },
    });
    one = new PoolClient(pool.endpoint);
    other = new PoolClient(pool.endpoint);
  });

  afterEach(async () => {
    one.close();
    other.close();
    await pool.stop();
  });

  const names = () => started.map(({ name }) => name);
  const stopped = () => started.filter(({ isStopped }) => isStopped).map(({ name }) => name);

  it("starts workers up to its places, refuses one more, and takes one again when a place is free", async () => {
    expect([await one.start("1", "a:1"), await one.start("2", "a:1")]).to.deep.equal(["", ""]);
    expect(await one.start("3", "a:1")).to.equal("worker 3 was not started: there are two places");
    started[0]!.end();
    await started[0]!.whenEnded;
    expect(await one.start("3", "a:1")).to.equal("");
    expect(names()).to.deep.equal(["1 of a:1", "2 of a:1", "3 of a:1"]);
  });

  it("refuses an id twice for a runner, and starts it for another runner", async () => {
    expect(await one.start("1", "a:1")).to.equal("");
    expect(await one.start("1", "a:1")).to.equal("worker 1 of a:1 runs already");
    expect(await other.start("1", "b:1")).to.equal("");
    expect(names()).to.deep.equal(["1 of a:1", "1 of b:1"]);
  });

  it("stops the worker of whoever asks, though another runner has one of that id", async () => {
    await one.start("1", "a:1");
    await other.start("1", "b:1");
    expect(await other.stop("1")).to.equal("");
    expect(stopped()).to.deep.equal(["1 of b:1"]);
    expect(await one.stop("1")).to.equal("");
    expect(stopped()).to.deep.equal(["1 of a:1", "1 of b:1"]);
  });

  it("a stop of a worker that has ended, or was never there, is answered, and hits no other", async () => {
    await one.start("1", "a:1");
    started[0]!.end();
    await started[0]!.whenEnded;
    await other.start("1", "b:1");
    expect([await one.stop("1"), await one.stop("unknown")]).to.deep.equal(["", ""]);
    expect(stopped()).to.deep.equal([]);
  });

  it("refuses a worker without endpoints, and tells why one could not be started", async () => {
    expect(await one.start("1", undefined)).to.equal(
      "worker 1 was given neither control nor provision endpoint",
    );
    startError = new Error("no more processes");
    expect(await one.start("1", "a:1")).to.equal("worker 1 was not started: no more processes");
    startError = undefined;
    expect(await one.start("1", "a:1")).to.equal("");
  });

  it("stops all its workers with itself, and says which address is taken", async () => {
    await one.start("1", "a:1");
    await other.start("1", "b:1");
    const port = Number(pool.endpoint.split(":")[1]);
    const options = { host: "127.0.0.1", port, workersMax: 1, fullMessage: "", log: quiet };
    const taken = await serveWorkerPool({ ...options, start: () => new FakeWorker("") }).then(
      () => "it was free",
      (error: Error) => error.message,
    );
    expect(taken).to.match(new RegExp(`^the worker pool cannot listen on ${pool.endpoint}: .*EADDRINUSE`));
    await pool.stop();
    expect(stopped()).to.deep.equal(["1 of a:1", "1 of b:1"]);
  });
});
