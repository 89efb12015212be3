/** What breaks around a job on real job servers: its cause in one line, an exit code, nothing left, nothing doubled. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { RunningJobServer } from "../../runners/portable/job-servers/start-job-server.js";
import { freePort } from "../support/free-ports.js";
import { COUNT, type End, Scene, type Submitted } from "./fault-scene.js";
import { startServer, targets } from "./targets.js";

const lines = Array.from({ length: COUNT }, (_, i) => `${i}:`.padEnd(20, "x")).sort();

async function gone(pid: number, ms = 20_000): Promise<void> {
  for (const deadline = Date.now() + ms; ; await sleep(50)) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (Date.now() > deadline) throw new Error(`process ${pid} still runs after ${ms} ms`);
  }
}

for (const target of targets) {
  describe(`faults on ${target.name}`, () => {
    let server: RunningJobServer;
    let scene: Scene;

    before("server", async function () {
      this.timeout(600_000);
      server = await startServer(target.server);
    });
    after(() => server.stop());
    beforeEach(() => {
      scene = new Scene(target, server);
    });
    afterEach(() => scene.close());

    /** Flink starts the job anew, with a new worker; the others give it up, and it is submitted again. */
    async function expectWorkerLost(
      submitted: Submitted,
      workerEndpoint: string,
      why = /worker/,
    ): Promise<void> {
      const end = await submitted.ended();
      if (target.server === "flink") {
        expectDone(end);
      } else {
        expectFailed(end, "JobFailedError", why);
        expect(scene.output(), "of a job that failed").to.deep.equal([]);
        expectDone(await scene.submit({ environment: "external", workerEndpoint }).ended());
      }
      expect(scene.output()).to.deep.equal(lines);
    }

    it("a worker is killed in mid-bundle", async () => {
      const { endpoint } = await scene.pool();
      const submitted = scene.submit({ environment: "external", workerEndpoint: endpoint });
      process.kill(await scene.stuck(submitted), "SIGKILL");
      await expectWorkerLost(submitted, endpoint);
    });

    it("a worker's control stream is cut in mid-bundle", async () => {
      const { endpoint, cut } = await scene.cuttablePool("control");
      const submitted = scene.submit({ environment: "external", workerEndpoint: endpoint });
      await scene.stuck(submitted);
      cut();
      await expectWorkerLost(submitted, endpoint);
    });

    it("a worker's data stream is cut in mid-bundle", async () => {
      const { endpoint, cut, allEnded } = await scene.cuttablePool("data");
      const submitted = scene.submit({ environment: "external", workerEndpoint: endpoint });
      await scene.stuck(submitted);
      cut();
      await expectWorkerLost(submitted, endpoint, /^the runner's data stream at \S+ was lost: |worker/);
      await allEnded();
    });

    it("no worker pool, and then one", async () => {
      const port = await freePort();
      const workerEndpoint = `127.0.0.1:${port}`;
      scene.unstick();
      const end = await scene.submit({ environment: "external", workerEndpoint }).ended();
      expectFailed(end, "Error", new RegExp(`no worker pool answers at ${workerEndpoint}`));
      await scene.pool(port);
      expectDone(await scene.submit({ environment: "external", workerEndpoint }).ended());
      expect(scene.output()).to.deep.equal(lines);
    });

    for (const isLoop of [false, true]) {
      const what = isLoop ? "a loop that lets nobody in" : "a promise that never resolves";

      it(`cancelled in ${what}, workers in threads`, async () => {
        const submitted = scene.submit({}, isLoop);
        await scene.stuck(submitted);
        submitted.kill("SIGTERM");
        expectEnd(await submitted.ended(), { state: "CANCELLED", exitCode: 1 });
      });

      it(`cancelled in ${what}, workers in processes`, async () => {
        const { endpoint } = await scene.pool();
        const submitted = scene.submit({ environment: "external", workerEndpoint: endpoint }, isLoop);
        const pid = await scene.stuck(submitted);
        submitted.kill("SIGTERM");
        expectEnd(await submitted.ended(), { state: "CANCELLED", exitCode: 1 });
        await gone(pid);
      });
    }

    for (const environment of ["loopback", "external"] as const) {
      it(`a module that cannot be imported, ${environment}`, async () => {
        const module = scene.module("broken.mjs", "throw new Error('this module is broken');");
        const pool =
          environment === "external" ? { environment, workerEndpoint: (await scene.pool()).endpoint } : {};
        const end = await scene.submit({ modules: [module], ...pool }).ended();
        expectFailed(
          end,
          "JobFailedError",
          /^worker \S+ cannot start: module \S+broken.mjs .*: this module is broken$/,
        );
      });
    }

    it("a DoFn that no module of the job registers, workers in processes", async () => {
      const { endpoint } = await scene.pool();
      const end = await scene
        .submit({ environment: "external", workerEndpoint: endpoint, modules: [] })
        .ended();
      expect(end.error?.[0]).to.equal("JobFailedError");
      expect(end.error?.[1]).to.match(/step "[^"]+": .*no DoFn is registered as "torture\/[\w-]+@1"/);
    });

    // the last one: there is no server behind it
    it("the server is killed", async () => {
      const { endpoint } = await scene.pool();
      const submitted = scene.submit({ environment: "external", workerEndpoint: endpoint });
      const pid = await scene.stuck(submitted);
      process.kill(server.pid, "SIGKILL");
      expectFailed(
        await submitted.ended(),
        "JobServerError",
        /^job server \S+: it lost the states of job .*UNAVAILABLE/,
      );
      await gone(pid);
      expectFailed(await scene.submit({}).ended(), "JobServerError", /^job server \S+: nobody answers/);
    });
  });
}

function expectDone(end: End): void {
  expectEnd(end, { state: "DONE", exitCode: 0 });
}

function expectEnd(end: End, expected: Pick<End, "state" | "exitCode">): void {
  expect(end).to.deep.equal({ ...expected, stderr: "" });
}

/** With the cause in one line, and nothing on the error output. */
function expectFailed(end: End, name: string, message: RegExp): void {
  expect(end.error?.[0], JSON.stringify(end)).to.equal(name);
  expect(end.error?.[1]).to.match(message).and.not.include("\n");
  expect({ exitCode: end.exitCode, stderr: end.stderr }).to.deep.equal({ exitCode: 1, stderr: "" });
}
