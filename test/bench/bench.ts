/**
 * `npm run bench -- [backlog] [latency] [micro] [model] [harness] [upserts] [state] [spark-worker] [--quick] [--data DIR] [--events N] [--pairs N] [--files N]`:
 * measures the pipeline on this machine, prints tables and writes them as JSON into bench-results/. Without
 * a name all of them but `spark-worker`, which needs Java. Needs Linux and, for the backlog, psql. What runs beside it
 * counts: see `foreign CPU`.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { stopTestPostgres } from "../support/postgres.js";
import { measureBacklog, printBacklog } from "./backlog.js";
import { type BenchData, generatedData, givenData } from "./bench-data.js";
import { startBenchServer } from "./bench-server.js";
import { measureHarness, printHarness } from "./harness.js";
import { type LatencyResult, measureLatency, printLatency } from "./latency.js";
import { measureMicro, printMicro } from "./micro.js";
import { measureModel, printModel } from "./model.js";
import { measureSparkWorkers, printSparkWorkers } from "./spark-worker.js";
import { measureState, printState } from "./state.js";
import { measureUpserts, printUpserts } from "./upserts.js";

const ROWS_PER_FILE = 10_000;
const MICRO_EVENTS = 200_000;
const RATES = [10, 1000];
const ALL = ["backlog", "latency", "micro", "model", "harness", "upserts", "state"];
const NAMES = [...ALL, "spark-worker"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    data: { type: "string" },
    events: { type: "string" },
    pairs: { type: "string" },
    files: { type: "string" },
  },
});
const { quick } = values;
const unknown = positionals.filter((name) => !NAMES.includes(name));
if (unknown.length > 0)
  throw new Error(`a benchmark is one of ${NAMES.join(", ")}, got ${unknown.join(", ")}`);
const wanted = new Set(positionals.length === 0 ? ALL : positionals);
const results: Record<string, unknown> = {
  startedAt: new Date().toISOString(),
  quick,
  machine: describeMachine(),
};

try {
  if (wanted.has("micro")) {
    const micro = await measureMicro(
      await generatedData(quick ? MICRO_EVENTS / 4 : MICRO_EVENTS, ROWS_PER_FILE),
    );
    printMicro(micro);
    results["micro"] = micro;
  }
  if (wanted.has("model")) {
    const model = measureModel(quick ? 0.1 : 1);
    printModel(model);
    results["model"] = model;
  }
  if (wanted.has("harness")) {
    const harness = await measureHarness(quick ? 0.2 : 1);
    printHarness(harness);
    results["harness"] = harness;
  }
  if (wanted.has("spark-worker")) {
    const records = count(values.events, quick ? 20_000 : 200_000);
    const workers = await measureSparkWorkers(records, count(values.pairs, quick ? 1 : 3));
    printSparkWorkers(workers);
    results["spark-worker"] = workers;
  }
  if (["backlog", "latency", "upserts", "state"].some((name) => wanted.has(name))) await measureOnServer();
} finally {
  await stopTestPostgres();
}
console.log(`\nwritten to ${writeResults()}`);

async function measureOnServer(): Promise<void> {
  const server = await startBenchServer();
  if (wanted.has("upserts")) {
    const changes = count(values.events, quick ? 100_000 : 1_000_000);
    const upserts = await measureUpserts(server, changes, count(values.pairs, quick ? 1 : 3));
    printUpserts(upserts, changes);
    results["upserts"] = upserts;
  }
  if (wanted.has("state")) {
    const events = count(values.events, quick ? 200_000 : 1_000_000);
    const state = [await measureState(server, "ids", events), await measureState(server, "counts", events)];
    for (const one of state) printState(one);
    results["state"] = state;
  }
  if (wanted.has("backlog")) {
    const backlog = await measureBacklog(server, await backlogData(), count(values.pairs, quick ? 1 : 3));
    printBacklog(backlog);
    results["backlog"] = backlog;
  }
  if (!wanted.has("latency")) return;
  const latency: LatencyResult[] = [];
  for (const rate of RATES)
    latency.push(await measureLatency(server, rate, count(values.files, quick ? 10 : 60)));
  printLatency(latency);
  results["latency"] = latency;
}

function backlogData(): Promise<BenchData> {
  if (values.data !== undefined) return givenData(values.data);
  return generatedData(count(values.events, quick ? 100_000 : 1_000_000), ROWS_PER_FILE);
}

function count(text: string | undefined, otherwise: number): number {
  const number = text === undefined ? otherwise : Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`--events, --pairs and --files must be positive integers, got ${text}`);
}

function describeMachine() {
  const commit = spawnSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).stdout.trim();
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  const model = cpus()[0]?.model;
  return {
    commit,
    node: process.version,
    kernel: release(),
    cpus: cpus().length,
    model,
    memoryGb,
    load: loadavg(),
  };
}

function writeResults(): string {
  mkdirSync("bench-results", { recursive: true });
  const path = `bench-results/${String(results["startedAt"]).replaceAll(/[:.]/g, "-")}.json`;
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
}
