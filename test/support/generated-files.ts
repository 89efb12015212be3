/** Reads what the generator wrote, and judges records by rules written down a second time. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";

/** A directory for one test; removed when `work` ends. */
export async function inTemporaryDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-generate-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Names of the files a pipeline would read, in its order. */
export async function csvNames(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => /^[^._].*\.csv$/.test(name)).sort();
}

/** Name and SHA-256 of every file. */
export async function digests(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).sort();
  return Promise.all(
    names.map(async (name) => {
      const hash = createHash("sha256").update(await readFile(join(directory, name)));
      return `${name} ${hash.digest("hex")}`;
    }),
  );
}

/** All records of all files in order, without headers; fails unless every file is whole. */
export async function recordsOf(directory: string): Promise<string[]> {
  const records: string[] = [];
  for (const name of await csvNames(directory)) {
    const lines = (await readFile(join(directory, name), "latin1")).split("\n");
    if (lines.shift() !== "event_id,user_id,event_type,product_id,price,event_timestamp") {
      throw new Error(`${name} has no header`);
    }
    if (lines.pop() !== "") throw new Error(`${name} does not end with a newline`);
    records.push(...lines);
  }
  return records;
}

/** The reason a record must be refused for, or undefined for a valid one. */
export function refusalOf(record: string): string | undefined {
  let rows: string[][];
  try {
    rows = parse(record, { relaxColumnCount: true });
  } catch {
    return "invalid_quote";
  }
  const fields = rows[0] ?? [];
  if (fields.length !== 6) return "field_count";
  const [eventId = "", userId = "", eventType = "", productId = "", price = "", time = ""] = fields;
  if (!isId(eventId)) return "invalid_event_id";
  if (!isId(userId)) return "invalid_user_id";
  if (!["view", "add_to_cart", "purchase"].includes(eventType)) return "invalid_event_type";
  if (!isId(productId)) return "invalid_product_id";
  if (!/^\d{1,8}(\.\d{1,2})?$/.test(price)) return "invalid_price";
  return isRealTime(time) ? undefined : "invalid_event_timestamp";
}

/** How often each value occurs, sorted by value. */
export function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of [...values].sort()) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function isId(text: string): boolean {
  return /^[^\s\p{Cc}]{1,64}$/u.test(text);
}

/** A date that does not exist comes back from `Date` as another one, or not at all. */
function isRealTime(text: string): boolean {
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (!match) return false;
  const date = new Date(`${match[1]}T${match[2]}Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(`${match[1]}T${match[2]}`);
}
