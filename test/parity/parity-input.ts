/** The input that every runner gets: generated events, changed repeats of some of them, and files with every trouble. */
import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { troubledFiles } from "../e2e/troubled-input.js";

const ROWS_PER_FILE = 10_000;
/** Of each so many records one comes again with another price. */
const CONFLICT_EVERY = 500;
const START = "2026-01-31T12:00:00.000Z";

/** Writes about `events` records below `directory`, the same for the same seed; their files' times give the order. */
export async function writeParityInput(directory: string, events: number, seed: number): Promise<void> {
  const raw = join(directory, "raw");
  await mkdir(raw, { recursive: true });
  generate(raw, directory, events, seed);
  const generated = (await readdir(raw)).filter((name) => name.endsWith(".csv")).sort();
  await writeFile(join(raw, "changed.csv"), await changedRepeats(raw, generated));
  const packed = generated[0]!;
  const content = await readFile(join(raw, packed));
  await writeFile(join(raw, `packed-${packed}.gz`), gzipSync(content));
  const troubled = troubledFiles();
  for (const { expected, encode } of troubled) {
    await writeFile(join(raw, expected.name), encode?.(expected.content) ?? expected.content);
  }
  const order = [
    ...generated,
    "changed.csv",
    `packed-${packed}.gz`,
    ...troubled.map(({ expected }) => expected.name),
  ];
  for (const [at, name] of order.entries()) await utimes(join(raw, name), 1_700_000_000, 1_700_000_000 + at);
}

const CLI = fileURLToPath(new URL("../../pipelines/cli.js", import.meta.url));

function generate(output: string, directory: string, events: number, seed: number): void {
  const amount = ["--as-fast-as-possible", `--events=${events}`, `--rows-per-file=${ROWS_PER_FILE}`];
  const rates = ["--malformed-rate=0.01", "--duplicate-rate=0.02", `--seed=${seed}`, `--start=${START}`];
  const places = [
    `--output=${output}`,
    `--log-dir=${directory}`,
    `--manifest=${join(directory, "manifest.json")}`,
  ];
  const { status, stderr } = spawnSync(process.execPath, [CLI, "generate", ...amount, ...rates, ...places]);
  if (status !== 0) throw new Error(`the generator ended with ${status}: ${stderr}`);
}

async function changedRepeats(raw: string, names: readonly string[]): Promise<string> {
  const lines: string[] = [];
  let header = "";
  for (const name of names) {
    const [first = "", ...records] = (await readFile(join(raw, name), "utf8")).split("\n");
    header = first;
    const plain = records.filter((record) => /^[^",]+(,[^",]+){5}$/.test(record));
    for (let at = 0; at < plain.length; at += CONFLICT_EVERY) {
      const fields = plain[at]!.split(",");
      fields[4] = "77.77";
      lines.push(fields.join(","));
    }
  }
  return `${[header, ...lines].join("\n")}\n`;
}
