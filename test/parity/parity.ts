/**
 * `npm run parity -- [RUNNER…] [--events 20000] [--seed N] [--starts]`: the same input through the direct runner, Spark,
 * Flink in batch and in streaming, and Prism. Prints a table and exits with 1 when any of them differs from the direct
 * runner. With `--starts` each runs once more on hardly any records, and the table tells the CPU of the others alone.
 * Then `live-metrics`: on the direct runner its tables must be those of a batch, and the others must refuse it by name.
 */
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startBenchServer } from "../bench/bench-server.js";
import { printTable, share } from "../bench/report.js";
import { stopTestPostgres } from "../support/postgres.js";
import { perMillion, perMillionBeyond } from "./cost.js";
import { type LiveOutcome, refuseLiveMetrics, runLiveMetrics } from "./live-metrics-parity.js";
import { writeParityInput } from "./parity-input.js";
import { differences } from "./parity-result.js";
import { type ParityRun, type ParityRunner, parityRunners, runParity } from "./parity-runs.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: "string", default: "20000" },
    seed: { type: "string" },
    starts: { type: "boolean", default: false },
  },
});
const known = Object.keys(parityRunners) as ParityRunner[];
const unknown = positionals.filter((name) => !known.includes(name as ParityRunner));
if (unknown.length > 0) throw new Error(`a runner is one of ${known.join(", ")}, got ${unknown.join(", ")}`);
const wanted = positionals.length === 0 ? known : known.filter((name) => positionals.includes(name));
const events = Number(values.events);
const seed = Number(values.seed ?? randomInt(2 ** 31));

const directory = await mkdtemp(join(tmpdir(), "millrace-parity-"));
/** Of the input that tells what a run costs at all. */
const START_EVENTS = 10;

const runs = new Map<ParityRunner, ParityRun>();
const starts = new Map<ParityRunner, ParityRun>();
const live = new Map<ParityRunner, LiveOutcome>();
try {
  process.stderr.write(`input of ${events} events, --seed ${seed}\n`);
  await writeParityInput(join(directory, "input"), events, seed);
  if (values.starts) await writeParityInput(join(directory, "few"), START_EVENTS, seed);
  const server = await startBenchServer();
  for (const runner of new Set<ParityRunner>(["direct", ...wanted])) {
    const run = await runParity(server, runner, join(directory, "input", "raw"));
    runs.set(runner, run);
    if (values.starts) starts.set(runner, await runParity(server, runner, join(directory, "few", "raw")));
    process.stderr.write(`${runner}: ${run.wallS.toFixed(1)} s\n`);
  }
  const raw = join(directory, "input", "raw");
  for (const runner of runs.keys()) {
    live.set(
      runner,
      runner === "direct" ? await runLiveMetrics(server, raw) : await refuseLiveMetrics(server, runner, raw),
    );
    process.stderr.write(`live-metrics, ${runner}: ${live.get(runner)?.text}\n`);
  }
} finally {
  await stopTestPostgres();
  await rm(directory, { recursive: true, force: true });
}

const { result: expected } = runs.get("direct")!;
printTable(
  `Parity of ${expected.records} records`,
  [
    "runner",
    "rows",
    "dead letters",
    "duplicates",
    "conflicts",
    "checksum",
    "wall s",
    "CPU s",
    "PG CPU s",
    "CPU s per million",
    ...(values.starts ? ["without the start"] : []),
    "foreign CPU",
    "same",
  ],
  [...runs].map(([runner, run]) => {
    const { result, wallS, cpuS, postgresCpuS, foreignShare } = run;
    return [
      ...[
        runner,
        result.rows,
        result.letters,
        result.duplicates,
        result.conflicts,
        result.rowsChecksum.slice(0, 8),
      ],
      ...[wallS.toFixed(1), cpuS.toFixed(1), postgresCpuS.toFixed(1)],
      ...costs(runner, run).map((cpu) => cpu.toFixed(1)),
      share(foreignShare),
      differences(expected, result).length === 0 ? "yes" : "NO",
    ].map(String);
  }),
);
printTable(
  "live-metrics on the same records",
  ["runner", "rows", "wall s", "CPU s", "peak MB", "tables", "as it must be"],
  [...live].map(([runner, { measured, rows, text, isRight }]) => {
    const figures =
      measured === undefined
        ? ["-", "-", "-", "-"]
        : [rows, measured.wallS.toFixed(1), measured.cpuS.toFixed(1), measured.peakRssMb.toFixed(0)];
    return [runner, ...figures, isRight ? text : "NO", isRight ? "yes" : "NO"].map(String);
  }),
);

/** Of all that a run costs; and without what it costs on hardly any records, where that was asked for. */
function costs(runner: ParityRunner, run: ParityRun): number[] {
  const cost = ({ result: { records }, cpuS, postgresCpuS }: ParityRun) => ({ records, cpuS, postgresCpuS });
  const start = starts.get(runner);
  return [perMillion(cost(run)), ...(start === undefined ? [] : [perMillionBeyond(cost(start), cost(run))])];
}

for (const [runner, { result }] of runs) {
  for (const difference of differences(expected, result)) {
    console.log(`${runner}: ${difference}`);
    process.exitCode = 1;
  }
}
for (const [runner, { isRight, text }] of live) {
  if (isRight) continue;
  console.log(`live-metrics, ${runner}: ${text}`);
  process.exitCode = 1;
}
