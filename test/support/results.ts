/** What runs of `user-events` have left: tables, NDJSON files, and what `status --json` says. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import { type PipelineStatus, readStatus } from "../../sql/status.js";
import type { ShopEvent } from "./shop-input.js";

/** Where to look. */
export interface Results {
  readonly connection: ConnectionConfig;
  readonly errorDir: string;
}

/** `raw` is hexadecimal. */
export interface FoundLetter {
  readonly source_file: string;
  readonly file_id: number;
  readonly generation: number;
  readonly line: number;
  readonly byte_start: number;
  readonly byte_end: number;
  readonly reason: string;
  readonly messages: readonly string[];
  readonly raw: string;
  readonly epoch: number;
}

export interface FoundCommit {
  readonly epoch: number;
  readonly records_read: number;
  readonly events_written: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly dead_letters: number;
}

export interface Found {
  readonly rows: readonly ShopEvent[];
  readonly letters: readonly FoundLetter[];
  /** Lines of the NDJSON files; `in_file` is the epoch in the file's name. */
  readonly fileLetters: readonly (FoundLetter & { readonly in_file: number })[];
  readonly fileNames: readonly string[];
  /** Names in the folder of pending files. */
  readonly pending: readonly string[];
  readonly commits: readonly FoundCommit[];
  readonly status: readonly PipelineStatus[];
}

export async function findResults({ connection, errorDir }: Results): Promise<Found> {
  const session = await SqlSession.connect({ connection, applicationName: "millrace/test" });
  try {
    const names = await readdir(errorDir).catch(() => []);
    const fileNames = names.filter((name) => name !== ".pending");
    const fileLetters = await Promise.all(fileNames.map((name) => readLetters(errorDir, name)));
    return {
      rows: await session.query<ShopEvent>(
        `select event_id, user_id, event_type, product_id, price::text,
           to_char(event_timestamp at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as event_timestamp
         from user_events`,
      ),
      letters: await session.query<FoundLetter>(
        `select source_file, file_id, generation, line, byte_start, byte_end, reason, messages,
           encode(raw, 'hex') as raw, epoch
         from dead_letters`,
      ),
      fileLetters: fileLetters.flat(),
      fileNames,
      pending: await readdir(path.join(errorDir, ".pending")).catch(() => []),
      commits: await session.query<FoundCommit>(
        `select epoch, records_read, events_written, duplicates, conflicts, dead_letters
         from commits order by epoch`,
      ),
      status: await readStatus(session),
    };
  } finally {
    await session.close();
  }
}

async function readLetters(directory: string, name: string): Promise<(FoundLetter & { in_file: number })[]> {
  const inFile = Number(/-(\d+)\.ndjson$/.exec(name)?.[1]);
  const text = await readFile(path.join(directory, name), "utf8");
  if (!text.endsWith("\n")) throw new Error(`${name} does not end with a newline`);
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => {
      const letter = JSON.parse(line) as FoundLetter & { raw_encoding: BufferEncoding };
      const raw = Buffer.from(letter.raw, letter.raw_encoding).toString("hex");
      return { ...letter, raw, in_file: inFile };
    });
}
