/** Folder, worker pools and submitted programs of one test of what breaks. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { startProcessPool } from "../../runners/harness/worker/process-pool.js";
import { serveWorkerPool, type WorkerPool } from "../../runners/harness/worker/worker-pool.js";
import { harnessModule } from "../../runners/harness/worker/worker-spec.js";
import { startWorkerThread } from "../../runners/harness/worker/worker-thread.js";
import type { RunningJobServer } from "../../runners/portable/job-servers/start-job-server.js";
import type { PortableRunnerOptions } from "../../runners/portable/portable-runner.js";
import { CuttableControl } from "./cuttable-control.js";
import { Relay } from "./relay.js";
import type { Outcome, Submission } from "./submit.js";
import { KeptLog, type Target, torturedModule } from "./targets.js";

const SUBMIT = fileURLToPath(new URL("./submit.js", import.meta.url));
/** How many elements a job writes. */
export const COUNT = 1_000;
const WAIT_MS = 60_000;

/** Folder and processes of one test. */
export class Scene {
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

  /** Workers in threads, of which one stream at a time can be cut. */
  async cuttablePool(what: "control" | "data"): Promise<CuttablePool> {
    const between = what === "control" ? await Relay.listen() : await CuttableControl.listen();
    let running = 0;
    const pool = await serveWorkerPool({
      ...{ host: "127.0.0.1", port: 0, workersMax: 4, fullMessage: "full", log: this.log },
      start: (workerId, endpoints, log, onRefused) => {
        between.target = endpoints.controlEndpoint!;
        const spec = {
          ...{ workerId, ...endpoints, controlEndpoint: between.endpoint, root: process.cwd() },
          ...{ modules: [torturedModule.href], takesStagedModules: false, harness: harnessModule },
        };
        const worker = startWorkerThread(spec, { log, stopGraceMs: 1_000, onRefused });
        running++;
        void worker.whenEnded.then(() => running--);
        return worker;
      },
    });
    this.#pools.push(pool);
    this.#closers.push(() => between.close());
    return {
      endpoint: pool.endpoint,
      cut: () => between.cut(),
      allEnded: async () => {
        for (const deadline = Date.now() + WAIT_MS; running > 0; await sleep(20)) {
          if (Date.now() > deadline) throw new Error(`${running} workers still run after ${WAIT_MS} ms`);
        }
      },
    };
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

export interface End extends Outcome {
  readonly exitCode: number | null;
  readonly stderr: string;
}

/** A running submit.ts. */
export class Submitted {
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

export interface CuttablePool {
  readonly endpoint: string;
  cut(): void;
  /** Resolves when no worker of it runs any more. */
  allEnded(): Promise<void>;
}
