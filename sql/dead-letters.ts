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
    await transaction.execute(INSERT, parametersOf(pipeline, epoch, batch));
  }
}

/** How many letters of a file have a reason. */
export interface LetterCount {
  readonly fileId: number;
  readonly reason: string;
  readonly count: number;
}

/**
 * Inserts the letters that are not there yet, where a bundle may come twice, and tells how many these were. A record
 * that is a conflict already is no dead letter: its key was taken before it could be refused.
 */
export async function insertNewDeadLetters(
  transaction: SqlTransaction,
  pipeline: string,
  epoch: number,
  letters: readonly DeadLetter[],
): Promise<LetterCount[]> {
  const counts: LetterCount[] = [];
  for (const batch of batches(letters)) {
    const values = parametersOf(pipeline, epoch, batch);
    const rows = await transaction.query<{ file_id: number; reason: string; count: number }>(
      INSERT_NEW,
      values,
    );
    counts.push(...rows.map(({ file_id: fileId, reason, count }) => ({ fileId, reason, count })));
  }
  return counts;
}

/** Why a record was parted with. */
export interface LetterProblem {
  readonly reason: string;
  readonly messages: readonly string[];
}

/** What the letters at these places say, each at its place's index; undefined where there is none. */
export async function selectLettersAt(
  transaction: SqlTransaction,
  pipeline: string,
  places: readonly Pick<DeadLetter, "fileId" | "generation" | "byteStart">[],
): Promise<(LetterProblem | undefined)[]> {
  const found = new Array<LetterProblem | undefined>(places.length).fill(undefined);
  if (places.length === 0) return found;
  const rows = await transaction.query<LetterProblem & { index: number }>(SELECT_AT, [
    pipeline,
    places.map(({ fileId }) => fileId),
    places.map(({ generation }) => generation),
    places.map(({ byteStart }) => byteStart),
  ]);
  for (const { index, reason, messages } of rows) found[index] = { reason, messages };
  return found;
}

/**
 * The letters of an epoch, by file and place, a part at a time: there may be more of them than memory holds. Within a
 * transaction, in which nothing else of this name is read.
 */
export async function* readDeadLetters(
  transaction: SqlTransaction,
  pipeline: string,
  epoch: number,
): AsyncGenerator<DeadLetter, void> {
  await transaction.execute(OPEN_CURSOR, [pipeline, epoch]);
  for (let rows = FETCH_AT_FIRST; ; ) {
    const part = await transaction.query<LetterRow>(`fetch forward ${rows} from dead_letters_of_epoch`);
    yield* part.map(fromRow);
    if (part.length < rows) break;
    const bytes = part.reduce((sum, { raw }) => sum + raw.length, 0);
    rows = bytes > FETCH_BYTES ? Math.max(1, rows >> 1) : Math.min(2 * rows, LETTERS_PER_STATEMENT_MAX);
  }
  await transaction.execute("close dead_letters_of_epoch");
}

/** The messages of a letter as they are stored, wherever that is: printable, and not more than a hundred. */
export function printableMessages(messages: readonly string[]): string[] {
  return messages.slice(0, MESSAGES_MAX).map(printable);
}

const MESSAGES_MAX = 100;
const LETTERS_PER_STATEMENT_MAX = 1_000;
const RAW_BYTES_PER_STATEMENT_MAX = 8 * 1024 * 1024;

/** A letter is at most about 1 MiB: of such ones so many are in memory at first, and then fewer. */
const FETCH_AT_FIRST = 16;
const FETCH_BYTES = 4 * 1024 * 1024;

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

// In one order, so that two attempts at a bundle wait for each other instead of each for the other.
const INSERT_NEW = `
with inserted as (
  ${INSERT}
  where not exists (
    select from conflicts c
    where c.pipeline = $1 and c.file_id = given.file_id and c.generation = given.generation
      and c.byte_start = given.byte_start
  )
  order by file_id, generation, byte_start
  on conflict do nothing
  returning file_id, reason
)
select file_id, reason, count(*)::integer as count from inserted group by file_id, reason order by file_id, reason`;

const SELECT_AT = `
select (at - 1)::integer as index, d.reason, d.messages
from unnest($2::bigint[], $3::integer[], $4::bigint[]) with ordinality
    as given(file_id, generation, byte_start, at)
  join dead_letters d on d.pipeline = $1 and d.file_id = given.file_id and d.generation = given.generation
    and d.byte_start = given.byte_start`;

const OPEN_CURSOR = `
declare dead_letters_of_epoch no scroll cursor for
select file_id, generation, source_file, line, byte_start, byte_end, reason, messages, raw
from dead_letters where pipeline = $1 and epoch = $2 order by file_id, generation, byte_start`;

interface LetterRow {
  readonly file_id: number;
  readonly generation: number;
  readonly source_file: string;
  readonly line: number;
  readonly byte_start: number;
  readonly byte_end: number;
  readonly reason: string;
  readonly messages: readonly string[];
  readonly raw: Buffer;
}

function fromRow({ file_id, source_file, byte_start, byte_end, ...row }: LetterRow): DeadLetter {
  return { ...row, fileId: file_id, sourceFile: source_file, byteStart: byte_start, byteEnd: byte_end };
}

function parametersOf(pipeline: string, epoch: number, letters: readonly DeadLetter[]): unknown[] {
  return [
    pipeline,
    epoch,
    letters.map(({ fileId }) => fileId),
    letters.map(({ generation }) => generation),
    letters.map(({ sourceFile }) => escaped(sourceFile)),
    letters.map(({ line }) => line),
    letters.map(({ byteStart }) => byteStart),
    letters.map(({ byteEnd }) => byteEnd),
    letters.map(({ reason }) => escaped(reason)),
    letters.map(({ messages }) => JSON.stringify(printableMessages(messages))),
    letters.map(({ raw }) => raw),
  ];
}

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
