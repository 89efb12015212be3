/**
 * Commits a second of a commit log, and CPU of one, beside a bare loop of write and fdatasync of as many bytes: turn by
 * turn in one process, since disks and neighbours change. `node dist/test/bench/log-commits.js [folder]`
 */
import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
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

const COMMITS = 200;
/** A pipeline has to be set up before it commits. */
const PIPELINE_COMMITS = 1_000;
const ROUNDS = 21;
const KEYS = 10;

interface Turn {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly bytes: number;
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

async function bare(folder: string, bytes: number): Promise<Turn> {
  const handle = await open(path.join(folder, "bare"), "wx");
  const record = Buffer.alloc(bytes, 1);
  const turn = await timed(bytes, async () => {
    for (let n = 0; n < COMMITS; n++) {
      await handle.write(record, 0, bytes, n * bytes);
      await handle.datasync();
    }
    return COMMITS;
  });
  await handle.close();
  return turn;
}

async function log(folder: string, snapshotEpochs: number): Promise<Turn> {
  const signal = new AbortController().signal;
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const opened = await CommitLog.open({
    ...{ folder, pipeline: "bench", shape: {}, takeover: false, clock: systemClock, log: silent, signal },
    snapshotEpochs,
  });
  const state = new CellsState();
  const turn = await timed(0, async () => {
    for (let epoch = 1; epoch <= COMMITS; epoch++) {
      const facts = { epoch, atMs: Date.now(), counts: NO_COUNTS, totals: NO_COUNTS, watermarkMs: epoch };
      await opened.commit(facts, state);
    }
    return COMMITS;
  });
  await opened.close();
  return turn;
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
async function pipeline(commitLogDir: string | undefined): Promise<Turn> {
  const place = commitLogDir === undefined ? {} : { commitLogDir, pipelineName: "bench" };
  let commits = 0;
  return timed(0, async () => {
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
      if (commits === PIPELINE_COMMITS) void job.cancel();
    });
    if ((await job.waitUntilFinish()) === "FAILED") throw job.failure;
    return commits;
  });
}

async function timed(bytes: number, work: () => Promise<number>): Promise<Turn> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const commits = await work();
  const seconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: commits / seconds, cpuUs: (user + system) / commits, bytes };
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(process.argv[2] ?? tmpdir(), "millrace-bench-log-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const recordBytes = await inFolder(async (folder) => {
  await log(folder, COMMITS);
  const [segment] = (await readdir(folder)).filter((name) => name.endsWith(".log"));
  return Math.round((await stat(path.join(folder, segment!))).size / COMMITS);
});
const ways: Readonly<Record<string, () => Promise<Turn>>> = {
  "bare write and fdatasync": () => inFolder((folder) => bare(folder, recordBytes)),
  "commit log, a snapshot in 100": () => inFolder((folder) => log(folder, 100)),
  "pipeline with a commit log": () => inFolder((folder) => pipeline(path.join(folder, "log"))),
  "pipeline in memory": () => pipeline(undefined),
};
const turns = new Map<string, Turn[]>(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(ways)) turns.get(name)!.push(await run());
}
const bareTurns = turns.get("bare write and fdatasync")!;
printTable(
  `${COMMITS} commits a turn, ${recordBytes} bytes each; medians of ${ROUNDS} turns, ratios turn by turn`,
  ["", "commits/s", "ratio", "lowest", "highest", "CPU µs a commit"],
  [...turns].map(([name, all]) => {
    const ratios = all.map(({ perSecond }, n) => perSecond / bareTurns[n]!.perSecond);
    return [
      name,
      median(all.map(({ perSecond }) => perSecond)).toFixed(0),
      median(ratios).toFixed(2),
      Math.min(...ratios).toFixed(2),
      Math.max(...ratios).toFixed(2),
      median(all.map(({ cpuUs }) => cpuUs)).toFixed(0),
    ];
  }),
);
