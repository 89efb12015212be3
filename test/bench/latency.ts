/** A live stream: from the rename of a file to the moment when another session sees all its new rows. */

import { once } from "node:events";
import { renameSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { SqlSession } from "../../sql/sql-session.js";
import { type BenchData, generatedData } from "./bench-data.js";
import { type BenchServer, withSession } from "./bench-server.js";
import { pipelineCommand } from "./pipeline-command.js";
import { MachineMeter, peakRss, processCpuS, startCommand } from "./process-meter.js";
import { percentile, printTable, share } from "./report.js";

const WARM_UP_FILES = 10;
const PERIOD_MS = 1000;
/** Drops come this much earlier or later than once a second: a fixed period could be in step with a poll. */
const JITTER_MS = 400;
const POLL_MS = 3;
const VISIBLE_TIMEOUT_MS = 60_000;

export interface LatencyResult {
  readonly eventsPerS: number;
  readonly files: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** From the launch of the command to the rows of a file that lay there before, the database being up. */
  readonly firstFileMs: number;
  readonly cpuS: number;
  readonly wallS: number;
  readonly peakRssMb: number;
  readonly foreignShare: number;
  /** Of every file after the warm-up. */
  readonly latenciesMs: readonly number[];
}

/** One file a second with `eventsPerS` events. @throws when a file does not become visible in time. */
export async function measureLatency(
  server: BenchServer,
  eventsPerS: number,
  files: number,
): Promise<LatencyResult> {
  const data = await generatedData(eventsPerS * (files + WARM_UP_FILES + 1), eventsPerS);
  const database = await server.migrated();
  const work = await mkdtemp(join(tmpdir(), "millrace-bench-live-"));
  const input = join(work, "raw");
  await mkdir(input);
  for (const { name } of data.files) await copyFile(join(data.rawDir, name), join(input, `.${name}.tmp`));
  const drops = new Drops(data, input);
  try {
    return await withSession(database.connection, async (watcher) => {
      drops.drop();
      const { command, args, env } = pipelineCommand({
        input,
        url: database.url,
        work,
        flags: ["--log-level=warn"],
      });
      const machine = new MachineMeter(server.postmasterPid);
      const launchedAtMs = performance.now();
      const { child, output } = startCommand(command, args, env);
      try {
        const pid = child.pid as number;
        const visible = new VisibleRows(watcher);
        const firstFileMs = (await drops.untilVisible(visible)) - launchedAtMs;
        const latenciesMs = await runDrops(drops, visible);
        const cpuS = processCpuS(pid);
        const measured = { cpuS, peakRssMb: peakRss(pid), wallS: (performance.now() - launchedAtMs) / 1000 };
        return {
          ...summary(latenciesMs.slice(WARM_UP_FILES)),
          ...{ eventsPerS, firstFileMs, ...measured, foreignShare: machine.foreignShare(cpuS) },
        };
      } catch (error) {
        throw new Error(`the pipeline wrote: ${output()}`, { cause: error });
      } finally {
        child.kill("SIGTERM");
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      }
    });
  } finally {
    await database.drop();
    await rm(work, { recursive: true, force: true });
  }
}

export function printLatency(results: readonly LatencyResult[]): void {
  printTable(
    "Live: rename of a file → all its new rows visible",
    [
      "events/s",
      "files",
      "p50 ms",
      "p99 ms",
      "max ms",
      "first file ms",
      "own CPU s",
      "of s",
      "peak RSS MB",
      "foreign CPU",
    ],
    results.map((result) => [
      String(result.eventsPerS),
      String(result.files),
      result.p50Ms.toFixed(1),
      result.p99Ms.toFixed(1),
      result.maxMs.toFixed(1),
      result.firstFileMs.toFixed(0),
      result.cpuS.toFixed(2),
      result.wallS.toFixed(0),
      result.peakRssMb.toFixed(0),
      share(result.foreignShare),
    ]),
  );
}

function summary(latenciesMs: readonly number[]) {
  return {
    files: latenciesMs.length,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    maxMs: Math.max(...latenciesMs),
    latenciesMs,
  };
}

/** Drops what is left by a schedule that waits for nobody; resolves to each file's latency. */
async function runDrops(drops: Drops, visible: VisibleRows): Promise<number[]> {
  const startMs = performance.now();
  const latencies: Promise<number>[] = [];
  for (let nth = 1; drops.hasMore; nth++) {
    const dueMs = startMs + nth * PERIOD_MS + (2 * Math.random() - 1) * JITTER_MS;
    await sleep(Math.max(0, dueMs - performance.now()));
    const droppedAtMs = performance.now();
    drops.drop();
    latencies.push(drops.untilVisible(visible).then((visibleAtMs) => visibleAtMs - droppedAtMs));
    latencies.at(-1)?.catch(() => undefined); // awaited below
  }
  return Promise.all(latencies);
}

/** Prepared files that get the name under which a pipeline reads them, one after the other. */
class Drops {
  #next = 0;
  /** New rows in what was dropped so far. */
  #rows = 0;

  constructor(
    readonly data: BenchData,
    readonly input: string,
  ) {}

  get hasMore(): boolean {
    return this.#next < this.data.files.length;
  }

  drop(): void {
    const { name, newRows } = this.data.files[this.#next++]!;
    this.#rows += newRows;
    renameSync(join(this.input, `.${name}.tmp`), join(this.input, name));
  }

  /** Resolves to the time at which all that is dropped now was seen. */
  untilVisible(visible: VisibleRows): Promise<number> {
    return visible.reach(this.#rows);
  }
}

/** Counts the rows of the table as a session sees them; one writer numbers them in the order of its commits. */
class VisibleRows {
  #rows = 0;
  #lastId = 0;
  #polling: Promise<void> | undefined;
  #reachedAtMs: { rows: number; resolve: (atMs: number) => void; reject: (error: unknown) => void }[] = [];

  constructor(readonly session: SqlSession) {}

  reach(rows: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#reachedAtMs.push({ rows, resolve, reject });
      this.#polling ??= this.#poll().catch((error) => {
        for (const waiter of this.#reachedAtMs) waiter.reject(error);
      });
    });
  }

  async #poll(): Promise<void> {
    const deadlineMs = performance.now() + VISIBLE_TIMEOUT_MS;
    while (this.#reachedAtMs.length > 0) {
      const [row] = await this.session.query<{ rows: number; last_id: number | null }>(
        "select count(*) as rows, max(id) as last_id from user_events where id > $1",
        [this.#lastId],
      );
      const nowMs = performance.now();
      this.#rows += row!.rows;
      this.#lastId = row!.last_id ?? this.#lastId;
      while (this.#reachedAtMs[0] !== undefined && this.#reachedAtMs[0].rows <= this.#rows) {
        this.#reachedAtMs.shift()?.resolve(nowMs);
      }
      if (nowMs > deadlineMs)
        throw new Error(`after ${VISIBLE_TIMEOUT_MS} ms ${this.#rows} rows are visible`);
      await sleep(POLL_MS);
    }
    this.#polling = undefined;
  }
}
