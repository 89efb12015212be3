/** What a run has left in the database and in files, without what may differ between two right runs. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SqlSession } from "../../sql/sql-session.js";
import { readStatus } from "../../sql/status.js";

export interface ParityResult {
  readonly rows: number;
  readonly rowsChecksum: string;
  readonly letters: number;
  readonly lettersChecksum: string;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly records: number;
  /** Counts and end of each file. */
  readonly files: string;
  /** Of the lines in the folder of errors, without epoch and file id. */
  readonly ndjson: string;
}

const EVENTS = `select count(*)::int as count,
  md5(string_agg(md5(concat_ws('|', event_id, user_id, event_type, product_id, price, event_timestamp)), '' order by event_id)) as sum
  from user_events`;
const LETTERS = `select count(*)::int as count, md5(string_agg(md5(concat_ws('|', source_file, generation, line, byte_start,
  byte_end, reason, messages, encode(raw, 'hex'))), '' order by source_file, generation, byte_start)) as sum
  from dead_letters`;

export async function readResult(session: SqlSession, errorDir: string): Promise<ParityResult> {
  const [events] = await session.query<{ count: number; sum: string }>(EVENTS);
  const [letters] = await session.query<{ count: number; sum: string }>(LETTERS);
  const [status] = await readStatus(session);
  if (events === undefined || letters === undefined || status === undefined)
    throw new Error("nothing was committed");
  const files = status.files.map(({ dead_letters: reasons, ...file }) => ({
    ...file,
    dead_letters: Object.entries(reasons).sort(),
  }));
  return {
    ...{ rows: events.count, rowsChecksum: events.sum, letters: letters.count, lettersChecksum: letters.sum },
    ...{ duplicates: status.duplicates, conflicts: status.conflicts, records: status.records_read },
    files: digest(files.sort((a, b) => (a.path < b.path ? -1 : 1)).map((file) => JSON.stringify(file))),
    ndjson: digest(await letterLines(errorDir)),
  };
}

async function letterLines(errorDir: string): Promise<string[]> {
  const lines: string[] = [];
  for (const name of await readdir(errorDir)) {
    if (!name.endsWith(".ndjson")) continue;
    const text = await readFile(join(errorDir, name), "utf8");
    for (const line of text.split("\n").filter(Boolean)) {
      const { epoch: _, file_id: __, ...letter } = JSON.parse(line) as Record<string, unknown>;
      lines.push(JSON.stringify(letter));
    }
  }
  return lines.sort();
}

function digest(lines: readonly string[]): string {
  return createHash("md5").update(lines.join("\n")).digest("hex");
}

/** The fields in which a result is not the expected one, each with both values. */
export function differences(expected: ParityResult, actual: ParityResult): string[] {
  return (Object.keys(expected) as (keyof ParityResult)[])
    .filter((field) => expected[field] !== actual[field])
    .map((field) => `${field}: ${actual[field]}, not ${expected[field]}`);
}
