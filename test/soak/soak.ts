/**
 * `npm run soak -- spark|flink|prism|direct [--minutes 5] [--rate 500] [--seed N] [--interval 10s]`: events written live
 * into the directory, the client killed in the midst and started again. Prints how late rows were over time, and exits
 * with 1 when the end differs from the direct runner's on the same files.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { startBenchServer } from "../bench/bench-server.js";
import { percentile, printTable } from "../bench/report.js";
import { stopTestPostgres } from "../support/postgres.js";
import { runSoak, type Soak } from "./run-soak.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "5" },
    rate: { type: "string", default: "500" },
    seed: { type: "string" },
    interval: { type: "string", default: "10s" },
  },
});
const rounds = `--interval=${values.interval}`;
/** Flags of each runner for a stream. */
const runners: Readonly<Record<string, readonly string[]>> = {
  spark: ["--runner=spark", rounds],
  flink: ["--runner=flink"],
  prism: ["--runner=prism", rounds],
  direct: ["--runner=direct"],
};
const [runner = "", ...more] = positionals;
const flags = runners[runner];
if (flags === undefined || more.length > 0) {
  throw new Error(`soak must name one of ${Object.keys(runners).join(", ")}, got ${positionals.join(" ")}`);
}
const minutes = positive("minutes");
const rate = positive("rate");
const seed = Number(values.seed ?? randomInt(2 ** 31));
process.stderr.write(`${flags.join(" ")}, ${rate} events/s for ${minutes} min, --seed ${seed}\n`);

try {
  const soak = await runSoak(await startBenchServer(), { flags, seconds: minutes * 60, rate, seed });
  printLags(soak);
  printEnd(soak);
  if (soak.differences.length > 0) process.exitCode = 1;
} finally {
  await stopTestPostgres();
}

function positive(name: "minutes" | "rate"): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name} must be a number above 0, got ${values[name]}`);
}

function printLags({ landings, killedAtMs }: Soak): void {
  const endMs = landings.elapsedMs;
  const stepMs = Math.ceil(endMs / 20 / 5_000) * 5_000;
  const rows: string[][] = [];
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const line = (name: string, fromMs: number, toMs: number) => {
    const lags = landings.lags.filter(({ atMs }) => atMs > fromMs && atMs <= toMs).map(({ lagMs }) => lagMs);
    const backlogs = landings.backlogs.filter(({ atMs }) => atMs > fromMs && atMs <= toMs);
    if (backlogs.length === 0) return;
    const behind = backlogs.map(({ landed, read }) => landed - read);
    const last = backlogs.at(-1)!;
    rows.push([
      ...[name, String(last.landed), String(last.rows)],
      ...[String(behind.at(-1)), String(Math.max(...behind))],
      ...(lags.length === 0
        ? ["–", "–", "–"]
        : [0.5, 0.99, 1].map((part) => seconds(percentile(lags, part)))),
      String(lags.length),
      last.load.toFixed(1),
    ]);
  };
  for (let fromMs = 0; fromMs < endMs; fromMs += stepMs) {
    const isKill = killedAtMs >= fromMs && killedAtMs < fromMs + stepMs;
    line(
      `${fromMs / 1000}–${(fromMs + stepMs) / 1000} s${isKill ? ", killed" : ""}`,
      fromMs,
      fromMs + stepMs,
    );
  }
  line("all", 0, Number.POSITIVE_INFINITY);
  printTable(
    `${runner}: from a file's landing to its rows in the table`,
    [
      "when seen",
      "landed",
      "rows",
      "unread",
      "unread, max",
      "p50 s",
      "p99 s",
      "max s",
      "ids looked for",
      "load",
    ],
    rows,
  );
}

function printEnd(soak: Soak): void {
  const { result, expected, differences, landings } = soak;
  printTable(
    "The end, beside the direct runner on the same files",
    [
      "runner",
      "records",
      "rows",
      "dead letters",
      "duplicates",
      "conflicts",
      "rows' checksum",
      "letters' checksum",
    ],
    [[runner, result] as const, ["direct", expected] as const].map(([name, one]) =>
      [
        ...[name, one.records, one.rows, one.letters, one.duplicates, one.conflicts],
        ...[one.rowsSum.slice(0, 8), one.lettersSum.slice(0, 8)],
      ].map(String),
    ),
  );
  const s = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `\nkilled at ${s(soak.killedAtMs)}, first new row after ${s(soak.resumedAfterMs)}; all read ${s(soak.caughtUpMs)} ` +
      `after the last file, drained in ${s(soak.drainMs)}; ${soak.jobs} runs; client's peak RSS ${soak.clientPeakRssMb.toFixed(0)} MB; ` +
      `${landings.missing.length} ids looked for and not found`,
  );
  for (const line of soak.complaints) console.log(`client: ${line}`);
  console.log(differences.length === 0 ? "the same" : differences.map((one) => `DIFFERS ${one}`).join("\n"));
}
