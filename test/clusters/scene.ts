/** What the suites of both clusters share: an input, what the direct runner leaves of it, and runs with a pool. */
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeParityInput } from "../parity/parity-input.js";
import type { ParityResult } from "../parity/parity-result.js";
import { endOf, Stand } from "../portable/stand.js";
import { InsertGate } from "./insert-gate.js";
import { WorkerPool } from "./our-programs.js";

const EVENTS = 20_000;
const SEED = 20_261_128;
const POOL_PROCESSES = 2;

/** A direct run's input and its results, for a table that refuses some rows and for one that refuses none. */
export class Scene {
  readonly #open: ClusterRun[] = [];
  readonly #folder: string;

  private constructor(
    folder: string,
    readonly expected: ParityResult,
    readonly expectedUnrefused: ParityResult,
  ) {
    this.#folder = folder;
  }

  static async create(): Promise<Scene> {
    const folder = await mkdtemp(join(tmpdir(), "millrace-clusters-"));
    await writeParityInput(folder, EVENTS, SEED);
    const direct = async (refusing: boolean) => {
      const stand = await Stand.create(refusing);
      try {
        await stand.succeed(join(folder, "raw"), ["--once"]);
        return await stand.result();
      } finally {
        await stand.close();
      }
    };
    return new Scene(folder, await direct(true), await direct(false));
  }

  get input(): string {
    return join(this.#folder, "raw");
  }

  /** A database and a pool for it; `flags` say where the cluster is. */
  async begin(flags: readonly string[], refusing = true): Promise<ClusterRun> {
    const stand = await Stand.create(refusing);
    const gate = await InsertGate.build(stand.session);
    const pool = await WorkerPool.start(stand.database.url, POOL_PROCESSES);
    const run = new ClusterRun(stand, gate, pool, flags, this.input);
    this.#open.push(run);
    return run;
  }

  async endRuns(): Promise<void> {
    for (const run of this.#open.splice(0)) await run.close();
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Runs of one database, with one pool. */
export class ClusterRun {
  readonly #flags: readonly string[];
  readonly #input: string;

  constructor(
    readonly stand: Stand,
    readonly gate: InsertGate,
    public pool: WorkerPool,
    flags: readonly string[],
    input: string,
  ) {
    this.#flags = flags;
    this.#input = input;
  }

  start(flags: readonly string[] = ["--once"], input = this.#input): ChildProcess {
    const workers = ["--environment=external", `--worker-endpoint=${this.pool.endpoint}`];
    return this.stand.start(input, [...this.#flags, ...workers, ...flags]);
  }

  run(): Promise<{ code: number | null; errors: string }> {
    return endOf(this.start());
  }

  /** On the same port, after it was killed. */
  async restartPool(): Promise<void> {
    this.pool = await WorkerPool.start(this.stand.database.url, POOL_PROCESSES, this.pool.port);
  }

  /** Of all moments until `end`: the most workers that ran at a time. */
  async workersAtATime(end: Promise<unknown>): Promise<number> {
    let most = 0;
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    end.then(over, over);
    for (; !isOver; await sleep(100)) most = Math.max(most, this.pool.workers().length);
    return most;
  }

  async close(): Promise<void> {
    await this.pool.program.kill("SIGTERM");
    await this.stand.close();
  }
}

/** The reason that a failed command gives: its last line, without time and level. */
export function reasonOf(errors: string): string {
  const lines = errors.trimEnd().split("\n");
  return lines.at(-1)!.replace(/^\S+ +error +/, "");
}
