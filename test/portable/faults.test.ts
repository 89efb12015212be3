/** What breaks around a job on real job servers: its cause in one line, an exit code, nothing left, nothing doubled. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { startProcessPool } from "../../runners/harness/worker/process-pool.js";
import { serveWorkerPool, type WorkerPool } from "../../runners/harness/worker/worker-pool.js";
import { harnessModule } from "../../runners/harness/worker/worker-spec.js";
import { startWorkerThread } from "../../runners/harness/worker/worker-thread.js";
import type { RunningJobServer } from "../../runners/portable/job-servers/start-job-server.js";
import type { PortableRunnerOptions } from "../../runners/portable/portable-runner.js";
import type { Outcome, Submission } from "./submit.js";
import { KeptLog, startServer, type Target, targets, torturedModule } from "./targets.js";

const SUBMIT = fileURLToPath(new URL("./submit.js", import.meta.url));
const COUNT = 1_000;
const lines = Array.from({ length: COUNT }, (_, i) => `${i}:`.padEnd(20, "x")).sort();
const WAIT_MS = 60_000;

/** Folder and processes of one test. */
class Scene {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "millrace-faults-"));
  readonly #pools: WorkerPool[] = [];
  readonly #closers: (() => unknown)[] = [];
  readonly #submitted: Submitted[] = [];
  readonly log = new KeptLog();
  readonly stuckFile = path.join(this.#folder, "stuck.txt");
  readonly outputFile = path.join(this.#folder, "out.txt");

  constructor(
    readonly target: Target,
    readonly server: RunningJobServer,
  ) {}

  async pool(port = 0): Promise<WorkerPool> {
    const pool = await startProcessPool({
      ...{ host: "127.0.0.1", port, processes: 4, root: process.cwd(), log: this.log },
      // the job stages the others
      modules: [],
    });
    this.#pools.push(pool);
    return pool;
  }

  /** One worker in a thread, whose control stream goes through a relay. */
  async cuttablePool(): Promise<{ readonly endpoint: string; cut(): void }> {
    const relay = await Relay.listen();
    const pool = await serveWorkerPool({
      ...{ host: "127.0.0.1", port: 0, workersMax: 4, fullMessage: "full", log: this.log },
      start: (workerId, endpoints, log, onRefused) => {
        relay.target = endpoints.controlEndpoint!;
        const spec = {
          ...{ workerId, ...endpoints, controlEndpoint: relay.endpoint, root: process.cwd() },
          ...{ modules: [torturedModule.href], takesStagedModules: false, harness: harnessModule },
        };
        return startWorkerThread(spec, { log, stopGraceMs: 1_000, onRefused });
      },
    });
    this.#pools.push(pool);
    this.#closers.push(() => relay.close());
    return { endpoint: pool.endpoint, cut: () => relay.cut() };
  }

  submit(runner: Partial<PortableRunnerOptions>, isLoop = false): Submitted {
    const { stuckFile, outputFile, target, server } = this;
    const submitted = new Submitted({
      ...{ stuckFile, outputFile, isLoop, count: COUNT },
      runner: {
        jobEndpoint: server.endpoint,
        modules: [torturedModule.href],
        pipelineOptions: target.options,
        ...runner,
      },
    });
    this.#submitted.push(submitted);
    return submitted;
  }

  module(name: string, text: string): string {
    const file = path.join(this.#folder, name);
    writeFileSync(file, text);
    return pathToFileURL(file).href;
  }

  /** Nothing is stuck any more. */
  unstick(): void {
    writeFileSync(this.stuckFile, "");
  }

  /** Process id of the step that is stuck. */
  async stuck(submitted: Submitted): Promise<number> {
    for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await sleep(20)) {
      if (existsSync(this.stuckFile)) {
        const pid = Number.parseInt(readFileSync(this.stuckFile, "utf8"), 10);
        if (pid > 0) return pid;
      }
      if (submitted.hasExited)
        throw new Error(`ended before it was stuck: ${JSON.stringify(await submitted.end)}`);
    }
    throw new Error(`not stuck after ${WAIT_MS} ms:\n${this.log.lines.join("\n")}`);
  }

  output(): string[] {
    return existsSync(this.outputFile)
      ? readFileSync(this.outputFile, "utf8").trimEnd().split("\n").sort()
      : [];
  }

  async close(): Promise<void> {
    for (const submitted of this.#submitted) submitted.kill();
    await Promise.all(this.#pools.map((pool) => pool.stop()));
    for (const close of this.#closers) await close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface End extends Outcome {
  readonly exitCode: number | null;
  readonly stderr: string;
}

/** A running submit.ts. */
class Submitted {
  readonly #child: ChildProcess;
  readonly end: Promise<End>;

  constructor(submission: Submission) {
    this.#child = spawn(process.execPath, [SUBMIT, JSON.stringify(submission)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    this.#child.stdout!.on("data", (text) => (stdout += text));
    this.#child.stderr!.on("data", (text) => (stderr += text));
    this.end = new Promise((resolve, reject) => {
      this.#child.on("close", (exitCode) => {
        try {
          resolve({ ...(JSON.parse(stdout) as Outcome), exitCode, stderr });
        } catch {
          reject(new Error(`the program said "${stdout}", and on its error output:\n${stderr}`));
        }
      });
    });
    this.end.catch(() => undefined);
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#child.kill(signal);
  }

  /** @throws when it takes too long */
  async ended(ms = WAIT_MS): Promise<End> {
    const late = sleep(ms, undefined, { ref: false }).then(() => {
      throw new Error(`the program still runs after ${ms} ms`);
    });
    return Promise.race([this.end, late]);
  }
}

/** A TCP relay whose connections can be cut; where they go to may be said later. */
class Relay {
  /** `host:port` */
  target = "";
  readonly #server = createServer((client) => {
    const at = this.target.lastIndexOf(":");
    const server = connect(Number(this.target.slice(at + 1)), this.target.slice(0, at));
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => undefined); // "close" follows
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  readonly #sockets = new Set<Socket>();

  static async listen(): Promise<Relay> {
    const relay = new Relay();
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

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

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
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
    async function expectWorkerLost(submitted: Submitted, workerEndpoint: string): Promise<void> {
      const end = await submitted.ended();
      if (target.server === "flink") {
        expectDone(end);
      } else {
        expectFailed(end, "JobFailedError", /worker/);
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
      const { endpoint, cut } = await scene.cuttablePool();
      const submitted = scene.submit({ environment: "external", workerEndpoint: endpoint });
      await scene.stuck(submitted);
      cut();
      await expectWorkerLost(submitted, endpoint);
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
