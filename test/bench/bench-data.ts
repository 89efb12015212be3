/** The input of a benchmark: raw files, the valid rows of each, and what must be in the table afterwards. */
import { createHash } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateEvents } from "../../data/generate/generate-events.js";
import { parseGeneratorOptions } from "../../data/generate/generator-options.js";
import { userEventSchema } from "../../pipelines/user-event-schema.js";
import { csvFormat } from "../../transforms/csv-format.js";
import { InputRecord } from "../../transforms/input-record.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { createRecordFormat } from "../../transforms/record-format.js";
import { validateRecord } from "../../transforms/validate.js";

export const COLUMNS = ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp"];
export const CSV = csvFormat({ columns: COLUMNS, timestampColumn: "event_timestamp" });

export interface BenchData {
  /** What the pipeline reads. */
  readonly rawDir: string;
  /** The valid rows of each raw file, repeats included: what COPY can take. */
  readonly validDir: string;
  /** The unique valid rows: what must be in the table. */
  readonly cleanCsv: string;
  readonly rows: number;
  readonly unique: number;
  readonly malformed: number;
  /** By name. */
  readonly files: readonly BenchFile[];
}

export interface BenchFile {
  readonly name: string;
  /** Rows that no earlier file has. */
  readonly newRows: number;
}

interface StoredManifest {
  readonly rows: number;
  readonly unique: number;
  readonly malformed: number;
  readonly files: readonly (readonly [name: string, newRows: number, ...unknown[]])[];
}

/** A folder with raw/, valid/, clean.csv and manifest.json. @throws when a part is missing. */
export async function givenData(folder: string): Promise<BenchData> {
  const stored = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as StoredManifest;
  const data = {
    rawDir: join(folder, "raw"),
    validDir: join(folder, "valid"),
    cleanCsv: join(folder, "clean.csv"),
    rows: stored.rows,
    unique: stored.unique,
    malformed: stored.malformed,
    files: stored.files.map(([name, newRows]) => ({ name, newRows })),
  };
  for (const path of [data.rawDir, data.validDir, data.cleanCsv]) {
    if (!existsSync(path))
      throw new Error(`--data must hold raw/, valid/ and clean.csv, but ${path} is missing`);
  }
  return data;
}

/** Events of our generator, 2 % of them repeated and 1 % malformed; made once and kept in the temporary directory. */
export async function generatedData(events: number, rowsPerFile: number): Promise<BenchData> {
  const options = { events, rowsPerFile, seed: 42, start: "2025-01-01T00:00:00Z", eventsPerSecond: 1000 };
  const key = createHash("sha256").update(JSON.stringify(options)).digest("hex").slice(0, 12);
  const folder = join(tmpdir(), `millrace-bench-${key}`);
  if (existsSync(folder)) return givenData(folder);
  const aside = `${folder}.${process.pid}`;
  await rm(aside, { recursive: true, force: true });
  await mkdir(join(aside, "valid"), { recursive: true });
  const generator = parseGeneratorOptions({
    ...options,
    output: join(aside, "raw"),
    manifest: join(aside, "generator.json"),
    asFastAsPossible: true,
  });
  await generateEvents(generator, { clock: systemClock, randomSeed: () => 42 });
  await writeFile(join(aside, "manifest.json"), JSON.stringify(await deriveValidRows(aside)));
  await rename(aside, folder);
  return givenData(folder);
}

/** Writes valid/ and clean.csv next to raw/. */
async function deriveValidRows(folder: string): Promise<StoredManifest> {
  const header = `${COLUMNS.join(",")}\n`;
  const seen = new Set<string>();
  const files: [string, number][] = [];
  const clean = createWriteStream(join(folder, "clean.csv"));
  let rows = 0;
  let malformed = 0;
  clean.write(header);
  for (const name of (await readdir(join(folder, "raw"))).filter((entry) => entry.endsWith(".csv")).sort()) {
    const valid: string[] = [];
    const fresh: string[] = [];
    for (const { id, line } of validated(await readFile(join(folder, "raw", name)), name)) {
      rows++;
      if (id === undefined) malformed++;
      else valid.push(line);
      if (id !== undefined && !seen.has(id)) fresh.push(line);
      if (id !== undefined) seen.add(id);
    }
    await writeFile(join(folder, "valid", name), header + valid.join(""));
    clean.write(fresh.join(""));
    files.push([name, fresh.length]);
  }
  await new Promise<void>((resolve) => clean.end(resolve));
  return { rows, unique: seen.size, malformed, files };
}

/** Every record of a file with its line; the id only of valid ones. */
function* validated(bytes: Buffer, path: string): Generator<{ id: string | undefined; line: string }> {
  const reader = createRecordFormat(CSV).createReader(null);
  reader.push(bytes);
  reader.end();
  for (let scanned = reader.next(); scanned !== undefined; scanned = reader.next()) {
    const record = new InputRecord({ fileId: 0, generation: 0, path }, scanned);
    const result = validateRecord(userEventSchema, record);
    yield { id: "valid" in result ? result.valid.value.event_id : undefined, line: `${record.origin.raw}\n` };
  }
}
