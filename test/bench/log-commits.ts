/**
 * What a commit of a commit log takes beside a bare write and fdatasync of as many bytes. The two take turns, one commit
 * each, since disks and neighbours change from moment to moment; then whole pipelines, with a log and in memory.
 * `node dist/test/bench/log-commits.js [folder]`
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { directRunner } from "millrace/runners";
import { NO_COUNTS } from "../../runners/bundle/bundle-ledger.js";
import type { EpochState } from "../../runners/direct/epoch.js";
import { CommitLog } from "../../runners/direct/log/commit-log.js";
import { impulse, P, withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import type { KV } from "../../transforms/primitives/window.js";
import { TICKING_SOURCE } from "../support/ticking-source.js";
import { median, printTable } from "./report.js";

const COMMITS = 3_000;
const WARM_UP = 200;
const PIPELINE_COMMITS = 1_000;
const PIPELINE_TURNS = 7;
const KEYS = 10;

/** Of each commit. */
interface Times {
  readonly wallMs: number[];
  readonly cpuUs: number[];
}

/** A value cell of each of ten keys, written by each commit. */
class CellsState implements EpochState {
  readonly hasChanges = true;
  #commits = 0;

  takeDelta() {
    const value = Buffer.from(`value ${this.#commits++}`);
    const puts = Array.from({ length: KEYS }, (_, n) => ({ key: `cell 3:Sum4:key${n}`, value }));
    return { puts, removed: [] };
  }

  takeSnapshot() {
    return this.takeDelta().puts;
  }
}

/** One bare commit, one of a log, and so on. */
async function takeTurns(folder: string): Promise<{ bare: Times; log: Times; bytes: number }> {
  const log = await openLog(path.join(folder, "log"));
  const state = new CellsState();
  const handle = await open(path.join(folder, "bare"), "wx");
  const bare: Times = { wallMs: [], cpuUs: [] };
  const logged: Times = { wallMs: [], cpuUs: [] };
  const bytes = 400;
  const record = Buffer.alloc(bytes, 1);
  for (let epoch = 1; epoch <= COMMITS + WARM_UP; epoch++) {
    const isMeasured = epoch > WARM_UP;
    await timed(isMeasured ? bare : undefined, async () => {
      await handle.write(record, 0, bytes, epoch * bytes);
      await handle.datasync();
    });
    const facts = { epoch, atMs: Date.now(), counts: NO_COUNTS, totals: NO_COUNTS, watermarkMs: epoch };
    await timed(isMeasured ? logged : undefined, () => log.commit(facts, state));
  }
  await handle.close();
  await log.close();
  return { bare, log: logged, bytes };
}

function openLog(folder: string): Promise<CommitLog> {
  const signal = new AbortController().signal;
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const clock = systemClock;
  return CommitLog.open({ folder, pipeline: "bench", shape: {}, takeover: false, clock, log, signal });
}

class SumFn implements DoFn<KV<string, number>> {
  readonly sum = valueState<number>();

  process({ value }: KV<string, number>, context: ProcessContext): void {
    const state = context.state(this.sum);
    state.write((state.read() ?? 0) + value);
  }
}
const SUM = registerDoFn("bench-sum@log", () => new SumFn());
const KEY = registerDoFn("bench-key@log", () => ({
  process: (value: number, context: ProcessContext) => context.output({ key: `key${value % KEYS}`, value }),
}));

/** A whole pipeline, which commits every ten elements of its source; without a folder in memory alone. */
async function pipeline(commitLogDir: string | undefined): Promise<{ perSecond: number; cpuUs: number }> {
  const place = commitLogDir === undefined ? {} : { commitLogDir, pipelineName: "bench" };
  let commits = 0;
  let startMs = 0;
  let cpu = process.cpuUsage();
  let result = { perSecond: 0, cpuUs: 0 };
  const { job } = await directRunner({ ...place, bundleRecordsMax: KEYS }).runAsync((root) => {
    const start = P(root.apply(withName("Impulse", impulse())));
    const config = { atOnce: KEYS, delayMs: 0 };
    start
      .apply(
        withName("Tick", splittableParDo<Uint8Array, number>(TICKING_SOURCE, config, { bounded: false })),
      )
      .apply(withName("Key", registeredParDo(KEY, null)))
      .apply(withName("Sum", registeredParDo(SUM, null)));
  });
  job.subscribe((event) => {
    if (event.type !== "commit") return;
    commits += 1;
    if (commits === WARM_UP) {
      startMs = performance.now();
      cpu = process.cpuUsage();
    }
    if (commits !== WARM_UP + PIPELINE_COMMITS) return;
    const seconds = (performance.now() - startMs) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    result = { perSecond: PIPELINE_COMMITS / seconds, cpuUs: (user + system) / PIPELINE_COMMITS };
    void job.cancel();
  });
  if ((await job.waitUntilFinish()) === "FAILED") throw job.failure;
  return result;
}

async function timed(into: Times | undefined, work: () => Promise<unknown>): Promise<void> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await work();
  into?.wallMs.push(performance.now() - startMs);
  const { user, system } = process.cpuUsage(cpu);
  into?.cpuUs.push(user + system);
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(process.argv[2] ?? tmpdir(), "millrace-bench-log-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;

const { bare, log, bytes } = await inFolder(takeTurns);
const rowOf = (name: string, { wallMs, cpuUs }: Times) => [
  ...[name, (1_000 / mean(wallMs)).toFixed(0), (sum(bare.wallMs) / sum(wallMs)).toFixed(2)],
  ...[median(wallMs).toFixed(2), mean(cpuUs).toFixed(0)],
];
printTable(
  `${COMMITS} commits each, turn by turn; the bare ones of ${bytes} bytes`,
  ["", "commits/s", "ratio", "median ms", "CPU µs a commit"],
  [rowOf("bare write and fdatasync", bare), rowOf("commit log, a snapshot in 100", log)],
);
const withLog: { perSecond: number; cpuUs: number }[] = [];
const inMemory: { perSecond: number; cpuUs: number }[] = [];
for (let turn = 0; turn < PIPELINE_TURNS; turn++) {
  withLog.push(await inFolder((folder) => pipeline(path.join(folder, "log"))));
  inMemory.push(await pipeline(undefined));
}
printTable(
  `pipelines, medians of ${PIPELINE_TURNS} turns of ${PIPELINE_COMMITS} commits`,
  ["", "commits/s", "CPU µs a commit"],
  [
    ["with a commit log", ...mediansOf(withLog)],
    ["in memory", ...mediansOf(inMemory)],
  ],
);

function mediansOf(turns: readonly { perSecond: number; cpuUs: number }[]): string[] {
  return [
    median(turns.map(({ perSecond }) => perSecond)).toFixed(0),
    median(turns.map(({ cpuUs }) => cpuUs)).toFixed(0),
  ];
}
