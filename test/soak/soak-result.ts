/** What a soak has left, beside what the direct runner makes of the same files. */
import type { SqlSession } from "../../sql/sql-session.js";
import { readStatus } from "../../sql/status.js";

export interface SoakResult {
  readonly records: number;
  readonly rows: number;
  /** Of all ids. */
  readonly ids: string;
  readonly letters: number;
  /** Of all dead letters, with file and place. */
  readonly lettersSum: string;
  readonly duplicates: number;
  readonly conflicts: number;
  /** Of the rows whose id came with one value alone. */
  readonly rowsSum: string;
}

const LETTERS = `select count(*) as count, md5(string_agg(md5(concat_ws('|', source_file, generation, line, byte_start, byte_end,
  reason, messages, encode(raw, 'hex'))), '' order by source_file, generation, byte_start)) as sum from dead_letters`;
const ROWS = `select count(*) as count, md5(string_agg(event_id, '' order by event_id)) as ids,
  md5(string_agg(md5(concat_ws('|', event_id, user_id, event_type, product_id, price, event_timestamp)), '' order by event_id)
    filter (where event_id <> all($1))) as sum from user_events`;

/** @param twoValued ids that came with two values, of which any may be the row */
export async function readSoakResult(session: SqlSession, twoValued: readonly string[]): Promise<SoakResult> {
  const [rows] = await session.query<{ count: number; ids: string; sum: string }>(ROWS, [twoValued]);
  const [letters] = await session.query<{ count: number; sum: string }>(LETTERS);
  const [status] = await readStatus(session);
  if (rows === undefined || letters === undefined || status === undefined)
    throw new Error("nothing was committed");
  return {
    ...{ records: status.records_read, rows: rows.count, ids: rows.ids },
    ...{ letters: letters.count, lettersSum: letters.sum },
    ...{ duplicates: status.duplicates, conflicts: status.conflicts, rowsSum: rows.sum },
  };
}

/** The fields that differ, each with both values. */
export function soakDifferences(expected: SoakResult, actual: SoakResult): string[] {
  return (Object.keys(expected) as (keyof SoakResult)[])
    .filter((field) => expected[field] !== actual[field])
    .map((field) => `${field}: ${actual[field]}, on the direct runner ${expected[field]}`);
}
