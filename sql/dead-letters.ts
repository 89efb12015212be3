/** The table `dead_letters`: records that could not become rows, whatever bytes they are made of. */
import { escaped, printable } from "./printable.js";
import type { SqlTransaction } from "./sql-session.js";

/** A record that was parted with, where it is and why. */
export interface DeadLetter {
  readonly fileId: number;
  readonly generation: number;
  /** Relative to the watched directory. */
  readonly sourceFile: string;
  /** From 1. */
  readonly line: number;
  /** Of the inflated file; `byteEnd` is the first byte after the record. */
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly reason: string;
  /** For people; stored as `printable()` makes them. */
  readonly messages: readonly string[];
  /** The record's bytes: the truth. */
  readonly raw: Buffer;
}

/**
 * Inserts the letters; no content makes it fail. That each comes once is the commit's doing: a second one
 * at the same place is a bug, and surfaces as a unique violation (23505).
 */
export async function insertDeadLetters(
  transaction: SqlTransaction,
  pipeline: string,
  epoch: number,
  letters: readonly DeadLetter[],
): Promise<void> {
  for (const batch of batches(letters)) {
    await transaction.execute(INSERT, [
      pipeline,
      epoch,
      batch.map(({ fileId }) => fileId),
      batch.map(({ generation }) => generation),
      batch.map(({ sourceFile }) => escaped(sourceFile)),
      batch.map(({ line }) => line),
      batch.map(({ byteStart }) => byteStart),
      batch.map(({ byteEnd }) => byteEnd),
      batch.map(({ reason }) => escaped(reason)),
      batch.map(({ messages }) => JSON.stringify(printableMessages(messages))),
      batch.map(({ raw }) => raw),
    ]);
  }
}

/** The messages of a letter as they are stored, wherever that is: printable, and not more than a hundred. */
export function printableMessages(messages: readonly string[]): string[] {
  return messages.slice(0, MESSAGES_MAX).map(printable);
}

const MESSAGES_MAX = 100;
const LETTERS_PER_STATEMENT_MAX = 1_000;
const RAW_BYTES_PER_STATEMENT_MAX = 8 * 1024 * 1024;

const INSERT = `
insert into dead_letters (
  pipeline, epoch, file_id, generation, source_file, line, byte_start, byte_end, reason, messages, raw
)
select
  $1, $2, file_id, generation, source_file, line, byte_start, byte_end, reason, messages::jsonb, raw
from unnest(
  $3::bigint[], $4::integer[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[],
  $11::bytea[]
) as given(file_id, generation, source_file, line, byte_start, byte_end, reason, messages, raw)`;

/** Bounds what one statement carries, in letters and in bytes; a letter larger than that goes alone. */
function* batches(letters: readonly DeadLetter[]): Generator<DeadLetter[]> {
  let batch: DeadLetter[] = [];
  let bytes = 0;
  for (const letter of letters) {
    const full = batch.length === LETTERS_PER_STATEMENT_MAX;
    if (full || (batch.length > 0 && bytes + letter.raw.length > RAW_BYTES_PER_STATEMENT_MAX)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(letter);
    bytes += letter.raw.length;
  }
  if (batch.length > 0) yield batch;
}
