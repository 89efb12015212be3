/**
 * `npm run parity -- [RUNNER…] [--events 20000] [--seed N]`: the same input through the direct runner, Spark, Flink in
 * batch and in streaming, and Prism. Prints a table and exits with 1 when any of them differs from the direct runner.
 */
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startBenchServer } from "../bench/bench-server.js";
import { printTable, share } from "../bench/report.js";
import { stopTestPostgres } from "../support/postgres.js";
import { writeParityInput } from "./parity-input.js";
import { differences } from "./parity-result.js";
import { type ParityRun, type ParityRunner, parityRunners, runParity } from "./parity-runs.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { events: { type: "string", default: "20000" }, seed: { type: "string" } },
});
const known = Object.keys(parityRunners) as ParityRunner[];
const unknown = positionals.filter((name) => !known.includes(name as ParityRunner));
if (unknown.length > 0) throw new Error(`a runner is one of ${known.join(", ")}, got ${unknown.join(", ")}`);
const wanted = positionals.length === 0 ? known : known.filter((name) => positionals.includes(name));
const events = Number(values.events);
const seed = Number(values.seed ?? randomInt(2 ** 31));

const directory = await mkdtemp(join(tmpdir(), "millrace-parity-"));
const runs = new Map<ParityRunner, ParityRun>();
try {
  process.stderr.write(`input of ${events} events, --seed ${seed}\n`);
  await writeParityInput(directory, events, seed);
  const server = await startBenchServer();
  for (const runner of new Set<ParityRunner>(["direct", ...wanted])) {
    const run = await runParity(server, runner, join(directory, "raw"));
    runs.set(runner, run);
    process.stderr.write(`${runner}: ${run.wallS.toFixed(1)} s\n`);
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
    "foreign CPU",
    "same",
  ],
  [...runs].map(([runner, { result, wallS, cpuS, postgresCpuS, foreignShare }]) =>
    [
      ...[
        runner,
        result.rows,
        result.letters,
        result.duplicates,
        result.conflicts,
        result.rowsChecksum.slice(0, 8),
      ],
      ...[wallS.toFixed(1), cpuS.toFixed(1), postgresCpuS.toFixed(1), share(foreignShare)],
      differences(expected, result).length === 0 ? "yes" : "NO",
    ].map(String),
  ),
);
for (const [runner, { result }] of runs) {
  for (const difference of differences(expected, result)) {
    console.log(`${runner}: ${difference}`);
    process.exitCode = 1;
  }
}
