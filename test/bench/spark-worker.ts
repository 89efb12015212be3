/**
 * The same work on one job server of Spark, by turns: the SDK's graph on the SDK's own workers, the SDK's graph on ours,
 * and our transforms on ours. Wall time, and CPU of the workers and of the job server each for itself.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type RunningJobServer,
  startJobServer,
} from "../../runners/portable/job-servers/start-job-server.js";
import { portableRunner } from "../../runners/portable/portable-runner.js";
import { JobState_Enum, type Root } from "../../transforms/primitives/beam.js";
import { generatedData } from "./bench-data.js";
import { processCpuS, processTreeCpuS, startCommand } from "./process-meter.js";
import { median, printTable } from "./report.js";
import {
  buildSparkWork,
  expectedResult,
  reportedResult,
  type SparkWork,
  type WorkResult,
} from "./spark-work.js";
import { buildWorkWithOurTransforms } from "./spark-work-ours.js";

const WORKERS = ["stock", "ours", "transforms"] as const;
type Workers = (typeof WORKERS)[number];
const TITLES: Record<Workers, string> = {
  stock: "SDK's graph, SDK's worker, patched",
  ours: "SDK's graph, our worker",
  transforms: "our transforms, our worker",
};

export interface WorkerRun {
  readonly workers: Workers;
  readonly wallS: number;
  /** Of the pool and its workers, from before the job until it was done. */
  readonly workerCpuS: number;
  readonly serverCpuS: number;
}

export interface SparkWorkerResult {
  readonly records: number;
  readonly result: WorkResult;
  /** Of hardly any records: what a job costs before its first. */
  readonly starts: readonly WorkerRun[];
  readonly runs: readonly WorkerRun[];
}

/** How many times the SDK's rate that of our transforms on our workers is to be. */
const AIM = 5;
const ROWS_PER_FILE = 10_000;
/** Of the runs that tell what a job costs at all. */
const START_RECORDS = 10;
const JOB_MS_MAX = 15 * 60_000;

const log = { debug: ignore, info: ignore, warn: warn, error: warn };
function ignore(): void {}
function warn(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** @throws when a job fails, or its result is not that of a plain loop over the files */
export async function measureSparkWorkers(records: number, pairs: number): Promise<SparkWorkerResult> {
  const some = await filesOf(records);
  const few = await filesOf(START_RECORDS);
  const server = await startJobServer("spark", { port: 0, log });
  try {
    // the server's own code is slow until it has run for a while: what is measured is not its first jobs
    await measureEach(server, some, 1);
    const starts = await measureEach(server, few, pairs);
    const runs = await measureEach(server, some, pairs);
    return { records, result: expectedResult(some), starts, runs };
  } finally {
    await server.stop();
  }
}

async function filesOf(records: number): Promise<string[]> {
  const { rawDir } = await generatedData(records, Math.min(records, ROWS_PER_FILE));
  const names = (await readdir(rawDir)).filter((name) => name.endsWith(".csv")).sort();
  return names.map((name) => join(rawDir, name));
}

async function measureEach(
  server: RunningJobServer,
  files: readonly string[],
  times: number,
): Promise<WorkerRun[]> {
  const runs: WorkerRun[] = [];
  for (let time = 0; time < times; time++) {
    for (const workers of WORKERS) runs.push(await measureRun(server, workers, files));
  }
  return runs;
}

async function measureRun(
  server: RunningJobServer,
  workers: Workers,
  files: readonly string[],
): Promise<WorkerRun> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-bench-spark-"));
  const work = { files, reportFile: join(folder, "report.ndjson") };
  await using pool = await Pool.start(workers);
  try {
    const serverBeforeS = processCpuS(server.pid);
    const wallS = await submit[workers](server.endpoint, pool.endpoint, work);
    const workerCpuS = pool.cpuS();
    const run = { workers, wallS, workerCpuS, serverCpuS: processCpuS(server.pid) - serverBeforeS };
    checkResult(workers, reportedResult(work.reportFile), expectedResult(files));
    process.stderr.write(`${JSON.stringify({ files: files.length, ...run })}\n`);
    return run;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function checkResult(workers: Workers, actual: WorkResult, expected: WorkResult): void {
  const text = [actual, expected].map((result) => JSON.stringify(result));
  if (text[0] !== text[1]) throw new Error(`the result of ${workers} must be ${text[1]}, got ${text[0]}`);
}

const POLL_MS = 20;
const ENDS = new Set([JobState_Enum.DONE, JobState_Enum.FAILED, JobState_Enum.CANCELLED]);

type Submit = (jobServer: string, pool: string, work: SparkWork) => Promise<number>;

/** Each resolves with the seconds from the submission until the job was DONE. */
const submit: Record<Workers, Submit> = {
  stock: async (jobServer, pool, work) => {
    const args = [script("stock-submit"), jobServer, pool, JSON.stringify(work)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: JOB_MS_MAX });
    return (JSON.parse(stdout) as { wallS: number }).wallS;
  },
  ours: (jobServer, pool, work) => submitToOurs(jobServer, pool, (root) => buildSparkWork(root, work)),
  transforms: (jobServer, pool, work) =>
    submitToOurs(jobServer, pool, (root) => buildWorkWithOurTransforms(root, work)),
};

async function submitToOurs(jobServer: string, pool: string, build: (root: Root) => void): Promise<number> {
  const runner = portableRunner({
    ...{ jobEndpoint: jobServer, environment: "external", workerEndpoint: pool, log },
    // as the command has it on a server that it starts
    pipelineOptions: { environment_cache_millis: 60_000 },
  });
  const startMs = performance.now();
  const result = await runner.runAsync(build);
  while (!ENDS.has(result.state) && performance.now() - startMs < JOB_MS_MAX) await later(POLL_MS);
  // the rest is waiting for the job's last messages
  const wallS = (performance.now() - startMs) / 1000;
  const state = await result.waitUntilFinish(JOB_MS_MAX);
  if (state === JobState_Enum.DONE) return wallS;
  throw result.failure ?? new Error(`the job of our worker ended ${JobState_Enum[state]}`);
}

const script = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
/** As `npm run worker`, for both. */
const FLAGS = ["--max-semi-space-size=32"];
const POOLS: Record<Workers, string> = { stock: "stock-pool", ours: "own-pool", transforms: "own-pool" };
const POOL_MS_MAX = 30_000;

/** A worker pool in a process of its own. */
class Pool implements AsyncDisposable {
  private constructor(
    readonly endpoint: string,
    private readonly child: ChildProcess,
    readonly output: () => string,
  ) {}

  static async start(workers: Workers): Promise<Pool> {
    const { child, output } = startCommand(process.execPath, [...FLAGS, script(POOLS[workers])]);
    const startMs = performance.now();
    for (;;) {
      const endpoint = /^pool at (\S+)$/m.exec(output())?.[1];
      if (endpoint !== undefined) return new Pool(endpoint, child, output);
      if (child.exitCode !== null || performance.now() - startMs > POOL_MS_MAX) {
        child.kill("SIGKILL");
        throw new Error(`the pool of ${workers} did not start:\n${output()}`);
      }
      await later(20);
    }
  }

  /** Since its start, which is in the figures of jobs without records too. */
  cpuS(): number {
    return processTreeCpuS(this.child.pid!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await ended;
  }
}

export function printSparkWorkers({ records, result, starts, runs }: SparkWorkerResult): void {
  const figures = WORKERS.map((workers) => summary(workers, records, { starts, runs }));
  const row = (name: string, figure: (of: Summary) => number, digits: number, isBetter: "more" | "less") => {
    const [stock, ...ours] = figures.map(figure) as [number, ...number[]];
    const times = ours.map((own) => (isBetter === "more" ? own / stock : stock / own));
    return [
      name,
      ...[stock, ...ours].map((value) => value.toFixed(digits)),
      ...times.map((of) => of.toFixed(2)),
    ];
  };
  const ratios = ["our worker: times", "with our transforms: times"];
  printTable(
    `Workers on Spark: ${records} records, medians of ${runs.length / WORKERS.length} runs each, aim ${AIM} times`,
    ["", ...WORKERS.map((workers) => TITLES[workers]), ...ratios],
    [
      row("records/s", (of) => records / of.wallS, 0, "more"),
      row("records/s without the start", (of) => records / (of.wallS - of.startWallS), 0, "more"),
      row("CPU s of workers a million, without the start", (of) => of.workerPerMillion, 2, "less"),
      row("CPU s of workers", (of) => of.workerCpuS, 2, "less"),
      row("CPU s of the job server", (of) => of.serverCpuS, 2, "less"),
      row("wall s", (of) => of.wallS, 2, "less"),
      row("start: wall s", (of) => of.startWallS, 2, "less"),
      row("start: CPU s of workers", (of) => of.startWorkerCpuS, 2, "less"),
    ],
  );
  console.log(
    `\nall: ${result.kept} kept, ${result.repeats} repeats, ${result.invalid} invalid, checksum ${result.checksum}`,
  );
  printTable(
    "Each run",
    ["workers", "wall s", "CPU s of workers", "CPU s of the job server"],
    [...starts, ...runs].map(({ workers, wallS, workerCpuS, serverCpuS }) => [
      TITLES[workers],
      wallS.toFixed(2),
      workerCpuS.toFixed(2),
      serverCpuS.toFixed(2),
    ]),
  );
}

interface Summary {
  readonly wallS: number;
  readonly workerCpuS: number;
  readonly serverCpuS: number;
  readonly startWallS: number;
  readonly startWorkerCpuS: number;
  readonly workerPerMillion: number;
}

function summary(
  workers: Workers,
  records: number,
  { starts, runs }: Pick<SparkWorkerResult, "starts" | "runs">,
): Summary {
  const of = (from: readonly WorkerRun[], figure: (run: WorkerRun) => number) =>
    median(from.filter((run) => run.workers === workers).map(figure));
  const workerCpuS = of(runs, (run) => run.workerCpuS);
  const startWorkerCpuS = of(starts, (run) => run.workerCpuS);
  return {
    wallS: of(runs, (run) => run.wallS),
    workerCpuS,
    serverCpuS: of(runs, (run) => run.serverCpuS),
    startWallS: of(starts, (run) => run.wallS),
    startWorkerCpuS,
    workerPerMillion: ((workerCpuS - startWorkerCpuS) / records) * 1e6,
  };
}
