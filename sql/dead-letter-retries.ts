/** Retries of dead letters: asked for in the letter's row, and answered there by the commit that decides them. */
import { printableMessages } from "./dead-letters.js";
import { escaped } from "./printable.js";
import { unescapeNul } from "./source-positions.js";
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** What became of a record that was tried again. */
export type RetryOutcome = "written" | "duplicate" | "conflict" | "rejected";

/** A letter whose record is to be tried again, at the place where it was read. */
export interface PendingRetry {
  readonly id: number;
  readonly fileId: number;
  readonly generation: number;
  readonly sourceFile: string;
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
  /** The letter's own reason, under which it is counted. */
  readonly reason: string;
  /** The bytes to try: as edited, else as they stand. */
  readonly raw: Buffer;
  readonly isEdited: boolean;
  /** Of the letter's file; null where the file was rewritten since, or shows none. */
  readonly header: readonly string[] | null;
}

/** What a letter's row says to a request. */
export type RetryAnswer = "requested" | "missing" | "pending" | "settled";

/**
 * Pending retries by id, as many as fit into a bundle and at least one if there is any.
 * @param inFlight ids that were read before and are not known to be committed
 * @param before only what was asked for before this time of the database's clock
 */
export async function readPendingRetries(
  queries: SqlQueries,
  pipeline: string,
  inFlight: readonly number[],
  before: string | null,
): Promise<PendingRetry[]> {
  const rows = await queries.query<PendingRow>(PENDING, [pipeline, inFlight, before]);
  return rows.map((row) => ({
    id: row.id,
    fileId: row.file_id,
    generation: row.generation,
    sourceFile: row.source_file,
    line: row.line,
    byteStart: row.byte_start,
    byteEnd: row.byte_end,
    reason: row.reason,
    raw: row.raw,
    isEdited: row.is_edited,
    header: row.header?.map(unescapeNul) ?? null,
  }));
}

/** The database's clock, as `readPendingRetries` takes it. */
export async function readClock(queries: SqlQueries): Promise<string> {
  const [row] = await queries.query<{ now: string }>("select now()::text as now");
  return row!.now;
}

/** The database's clock in ms since 1970. */
export async function readClockMs(queries: SqlQueries): Promise<number> {
  const [row] = await queries.query<{ now: number }>(
    "select (extract(epoch from now()) * 1000)::bigint as now",
  );
  return row!.now;
}

/** Asks for one letter to be tried again, with its bytes as they stand if `raw` is null. */
export async function requestRetry(
  queries: SqlQueries,
  pipeline: string,
  id: number | string,
  { by, raw }: { readonly by: string; readonly raw: Buffer | null },
): Promise<RetryAnswer> {
  const asked = await queries.query(REQUEST_ONE, [pipeline, id, escaped(by), raw]);
  if (asked.length === 1) return "requested";
  const [letter] = await queries.query<{ pending: boolean }>(
    "select retry_requested_at is not null as pending from dead_letters where pipeline = $1 and id = $2",
    [pipeline, id],
  );
  if (letter === undefined) return "missing";
  return letter.pending ? "pending" : "settled";
}

/** Asks for all letters of a reason that are none of them pending or settled. Resolves to their number. */
export async function requestRetriesOf(
  queries: SqlQueries,
  pipeline: string,
  reason: string,
  by: string,
): Promise<number> {
  const [asked] = await queries.query<{ count: number }>(REQUEST_REASON, [pipeline, reason, escaped(by)]);
  return asked!.count;
}

/** What a bundle made of one retry. */
export interface SettledRetry {
  readonly id: number;
  readonly outcome: RetryOutcome;
  /** Why it was rejected again; undefined for the other outcomes. */
  readonly problem: { readonly reason: string; readonly messages: readonly string[] } | undefined;
}

/**
 * Marks the letters, in the transaction that holds what became of their records.
 * @throws when one of them is not pending any more: its record would count twice
 */
export async function settleRetries(
  transaction: SqlTransaction,
  pipeline: string,
  epoch: number,
  retries: readonly SettledRetry[],
): Promise<void> {
  for (let from = 0; from < retries.length; from += RETRIES_PER_STATEMENT_MAX) {
    const part = retries.slice(from, from + RETRIES_PER_STATEMENT_MAX);
    const marked = await transaction.execute(SETTLE, [
      pipeline,
      epoch,
      part.map(({ id }) => id),
      part.map(({ outcome }) => outcome),
      part.map(({ problem }) => (problem === undefined ? null : escaped(problem.reason))),
      part.map(({ problem }) => JSON.stringify(printableMessages(problem?.messages ?? []))),
    ]);
    if (marked === part.length) continue;
    throw new Error(
      `pipeline "${pipeline}": ${part.length} dead letters were tried again, but only ${marked} of them are still pending`,
    );
  }
}

const RETRIES_PER_STATEMENT_MAX = 1_000;
/** A bundle's letters: what they are made into is small, what they hold until the commit is their bytes. */
const RETRIES_PER_BUNDLE_MAX = 1_000;
const RETRY_BYTES_PER_BUNDLE_MAX = 8 * 1024 * 1024;

interface PendingRow {
  readonly id: number;
  readonly file_id: number;
  readonly generation: number;
  readonly source_file: string;
  readonly line: number;
  readonly byte_start: number;
  readonly byte_end: number;
  readonly reason: string;
  readonly raw: Buffer;
  readonly is_edited: boolean;
  readonly header: string[] | null;
}

// the sizes first: they are known without reading the bytes
const PENDING = `
with pending as (
  select id, coalesce(octet_length(retry_raw), octet_length(raw)) as bytes
  from dead_letters
  where pipeline = $1 and retry_requested_at is not null and id <> all($2::bigint[])
    and ($3::timestamptz is null or retry_requested_at < $3)
  order by id
  limit ${RETRIES_PER_BUNDLE_MAX}
), sized as (
  select id, row_number() over (order by id) as place, sum(bytes) over (order by id) as bytes from pending
)
select d.id, d.file_id, d.generation, d.source_file, d.line, d.byte_start, d.byte_end, d.reason,
  coalesce(d.retry_raw, d.raw) as raw, d.retry_raw is not null as is_edited, f.header
from sized
join dead_letters d using (id)
left join source_files f on f.file_id = d.file_id and f.pipeline = d.pipeline and f.generation = d.generation
where sized.bytes <= ${RETRY_BYTES_PER_BUNDLE_MAX} or sized.place = 1
order by d.id`;

/** A letter whose record is still none: what was written, or is counted as a repeat, is no letter any more. */
const IS_OPEN = "retry_requested_at is null and (retry_outcome is null or retry_outcome = 'rejected')";

const REQUEST_ONE = `
update dead_letters set retry_requested_at = now(), retry_requested_by = $3, retry_raw = $4
where pipeline = $1 and id = $2 and ${IS_OPEN}
returning id`;

const REQUEST_REASON = `
with asked as (
  update dead_letters set retry_requested_at = now(), retry_requested_by = $3, retry_raw = null
  where pipeline = $1 and reason = $2 and ${IS_OPEN}
  returning id
)
select count(*)::integer as count from asked`;

const SETTLE = `
update dead_letters d set
  retried_at = now(), retried_by = d.retry_requested_by, retried_epoch = $2, retry_outcome = given.outcome,
  retry_reason = given.reason, retry_messages = given.messages::jsonb, retry_attempts = d.retry_attempts + 1,
  retry_requested_at = null, retry_requested_by = null
from unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) as given(id, outcome, reason, messages)
where d.pipeline = $1 and d.id = given.id and d.retry_requested_at is not null`;
