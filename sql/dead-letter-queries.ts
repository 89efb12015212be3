/** Looking through the table `dead_letters`, page by page; and deleting from it. */
import type { RetryOutcome } from "./dead-letter-retries.js";
import type { DeadLetter } from "./dead-letters.js";
import { escaped } from "./printable.js";
import { unescapeNul } from "./source-positions.js";
import type { SqlQueries } from "./sql-session.js";

/** A letter without its bytes; times in ms since 1970. */
export interface LetterSummaryRow {
  /** As text: it may be larger than numbers hold exactly. */
  readonly id: string;
  readonly reason: string;
  readonly source_file: string;
  readonly generation: number;
  readonly line: number;
  readonly byte_start: number;
  readonly byte_end: number;
  readonly epoch: number;
  readonly created_ms: number;
  readonly messages: readonly string[];
  /** Of a pending retry. */
  readonly retry_requested_ms: number | null;
  readonly retry_requested_by: string | null;
  readonly retried_ms: number | null;
  readonly retried_by: string | null;
  readonly retried_epoch: number | null;
  readonly retry_outcome: RetryOutcome | null;
  readonly retry_reason: string | null;
  readonly retry_messages: readonly string[] | null;
  readonly retry_attempts: number;
}

export interface LetterRow extends LetterSummaryRow {
  readonly raw: Buffer;
  /** Of its file; null where that was rewritten since, or shows none. */
  readonly header: readonly string[] | null;
}

export interface LetterFilter {
  readonly reason: string | null;
  /** In the file's name, in a message, or in a record of `SEARCHED_BYTES_MAX` at most; ASCII letters of either case. */
  readonly search: string | null;
  /** Only older ones than this id. */
  readonly before: string | null;
  readonly limit: number;
}

/** Records longer than this are found by their file and messages only. */
const SEARCHED_BYTES_MAX = 16 * 1024;
/** How many letters one search looks at: what is older is looked at by the next page's. */
const SEARCHED_LETTERS_MAX = 10_000;

/**
 * Letters, newest first, and the id before which the next page begins; null: there are no more. A search may find
 * fewer than `limit` and still have more to look at.
 */
export async function listLetters(
  queries: SqlQueries,
  pipeline: string,
  { reason, search, before, limit }: LetterFilter,
): Promise<{ readonly letters: LetterSummaryRow[]; readonly next: string | null }> {
  const filter = [pipeline, reason, before];
  if (search === null || search === "") {
    const letters = await queries.query<LetterSummaryRow>(LIST, [...filter, limit + 1]);
    return { letters: letters.slice(0, limit), next: letters.length > limit ? letters[limit - 1]!.id : null };
  }
  const letters = await queries.query<LetterSummaryRow>(SEARCH, [
    ...filter,
    limit + 1,
    escaped(search),
    Buffer.from(search),
  ]);
  if (letters.length > limit) return { letters: letters.slice(0, limit), next: letters[limit - 1]!.id };
  const [looked] = await queries.query<{ last: string; count: number }>(LOOKED_AT, filter);
  return { letters, next: looked!.count === SEARCHED_LETTERS_MAX ? looked!.last : null };
}

/** One letter with its bytes. */
export async function findLetter(
  queries: SqlQueries,
  pipeline: string,
  id: string,
): Promise<LetterRow | undefined> {
  const [row] = await queries.query<LetterRow>(FIND, [pipeline, id]);
  return row && { ...row, header: row.header?.map(unescapeNul) ?? null };
}

/** Letters of a reason by what became of them. */
export interface ReasonCounts {
  readonly reason: string;
  /** Dead still. */
  readonly open: number;
  readonly retried: number;
}

export function countByReason(queries: SqlQueries, pipeline: string): Promise<ReasonCounts[]> {
  return queries.query<ReasonCounts>(COUNT_BY_REASON, [pipeline]);
}

/** When letters came, by reason, in spans of equal length. */
export interface LettersOverTime {
  readonly fromMs: number;
  readonly spanMs: number;
  readonly spans: number;
  readonly counts: readonly { readonly reason: string; readonly span: number; readonly count: number }[];
}

/** Undefined where there are no letters. */
export async function countOverTime(
  queries: SqlQueries,
  pipeline: string,
  spansMax: number,
): Promise<LettersOverTime | undefined> {
  const [times] = await queries.query<{ first_ms: number | null; last_ms: number }>(
    `select ${msOf("min(created_at)")} as first_ms, ${msOf("max(created_at)")} as last_ms
     from dead_letters where pipeline = $1`,
    [pipeline],
  );
  if (times === undefined || times.first_ms === null) return undefined;
  const { first_ms: fromMs, last_ms: toMs } = times;
  const spanMs = Math.max(SPAN_MS_MIN, Math.ceil((toMs - fromMs + 1) / spansMax));
  const counts = await queries.query<LettersOverTime["counts"][number]>(
    `select reason, ((${msOf("created_at")} - $2) / $3)::integer as span, count(*) as count
     from dead_letters where pipeline = $1 and ${msOf("created_at")} between $2 and $4
     group by 1, 2 order by 2, 1`,
    [pipeline, fromMs, spanMs, toMs],
  );
  return { fromMs, spanMs, spans: Math.floor((toMs - fromMs) / spanMs) + 1, counts };
}

/** Of letters of a reason: how many retries are pending, and how many were decided since a time, by outcome. */
export interface RetryProgress {
  readonly pending: number;
  readonly decided: Readonly<Partial<Record<RetryOutcome, number>>>;
}

export async function readRetryProgress(
  queries: SqlQueries,
  pipeline: string,
  reason: string,
  sinceMs: number,
): Promise<RetryProgress> {
  const rows = await queries.query<{ outcome: RetryOutcome | null; count: number }>(PROGRESS, [
    pipeline,
    reason,
    sinceMs,
  ]);
  const decided = rows.flatMap(({ outcome, count }) => (outcome === null ? [] : [[outcome, count] as const]));
  return {
    pending: rows.find(({ outcome }) => outcome === null)?.count ?? 0,
    decided: Object.fromEntries(decided),
  };
}

/** A letter as it goes into a file. */
export interface ExportedLetter extends DeadLetter {
  readonly id: string;
  readonly epoch: number;
}

/** All letters, oldest first, a part at a time: there may be more of them than memory holds. */
export async function* exportLetters(
  queries: SqlQueries,
  pipeline: string,
  reason: string | null,
): AsyncGenerator<ExportedLetter, void> {
  let after = "0";
  for (let rows = EXPORTED_AT_FIRST; ; ) {
    const part = await queries.query<LetterRow>(EXPORT, [pipeline, reason, after, rows]);
    yield* part.map(toExported);
    if (part.length < rows) return;
    after = part.at(-1)!.id;
    const bytes = part.reduce((sum, { raw }) => sum + raw.length, 0);
    rows = bytes > EXPORTED_BYTES ? Math.max(1, rows >> 1) : Math.min(2 * rows, EXPORTED_LETTERS_MAX);
  }
}

export interface PurgeFilter {
  readonly reason: string | null;
  /** Only letters that came before; ms since 1970. */
  readonly beforeMs: number | null;
}

/** Letters that a purge would take, and those of the same filter that it leaves. */
export async function countPurgeable(
  queries: SqlQueries,
  pipeline: string,
  { reason, beforeMs }: PurgeFilter,
): Promise<{ readonly purgeable: number; readonly kept: number }> {
  const [counts] = await queries.query<{ purgeable: number; kept: number }>(
    `select count(*) filter (where ${IS_PURGEABLE}) as purgeable,
       count(*) filter (where not (${IS_PURGEABLE})) as kept
     from dead_letters d where ${IN_PURGE}`,
    [pipeline, reason, beforeMs],
  );
  return counts!;
}

/** Deletes letters; their counts stay in the ledger. Resolves to how many went. */
export async function purgeLetters(
  queries: SqlQueries,
  pipeline: string,
  { reason, beforeMs }: PurgeFilter,
): Promise<number> {
  for (let purged = 0; ; ) {
    const [part] = await queries.query<{ count: number }>(PURGE, [pipeline, reason, beforeMs]);
    purged += part!.count;
    if (part!.count < PURGED_AT_ONCE) return purged;
  }
}

const SPAN_MS_MIN = 1_000;
const PURGED_AT_ONCE = 10_000;
/** A letter is at most about 1 MiB: of such ones so many are in memory at first, and then fewer. */
const EXPORTED_AT_FIRST = 16;
const EXPORTED_LETTERS_MAX = 1_000;
const EXPORTED_BYTES = 4 * 1024 * 1024;

function msOf(time: string): string {
  return `(extract(epoch from ${time}) * 1000)::bigint`;
}

function toExported(row: LetterRow & { readonly file_id?: number }): ExportedLetter {
  return {
    id: row.id,
    epoch: row.epoch,
    fileId: row.file_id!,
    generation: row.generation,
    sourceFile: row.source_file,
    line: row.line,
    byteStart: row.byte_start,
    byteEnd: row.byte_end,
    reason: row.reason,
    messages: row.messages,
    raw: row.raw,
  };
}

const SUMMARY = `d.id::text as id, d.reason, d.source_file, d.generation, d.line, d.byte_start, d.byte_end, d.epoch,
  ${msOf("d.created_at")} as created_ms, d.messages, ${msOf("d.retry_requested_at")} as retry_requested_ms,
  d.retry_requested_by, ${msOf("d.retried_at")} as retried_ms, d.retried_by, d.retried_epoch, d.retry_outcome,
  d.retry_reason, d.retry_messages, d.retry_attempts`;

const IN_LIST =
  "d.pipeline = $1 and ($2::text is null or d.reason = $2) and ($3::bigint is null or d.id < $3::bigint)";

const LIST = `select ${SUMMARY} from dead_letters d where ${IN_LIST} order by d.id desc limit $4`;

const LOOKED = `select d.id from dead_letters d where ${IN_LIST} order by d.id desc limit ${SEARCHED_LETTERS_MAX}`;

// bytes are compared as `escape` shows them, in which only ASCII is itself: they may be in any encoding
const SEARCH = `
with looked as materialized (${LOOKED})
select ${SUMMARY} from dead_letters d join looked using (id)
where position(lower($5::text) in lower(d.source_file)) > 0
  or exists (
    select from jsonb_array_elements_text(d.messages) as message
    where position(lower($5::text) in lower(message)) > 0
  )
  or case when octet_length(d.raw) <= ${SEARCHED_BYTES_MAX}
    then position(lower(encode($6::bytea, 'escape')) in lower(encode(d.raw, 'escape'))) > 0
    else false
  end
order by d.id desc limit $4`;

const LOOKED_AT = `select min(id)::text as last, count(*) as count from (${LOOKED}) as looked`;

const FIND = `
select ${SUMMARY}, d.raw, f.header
from dead_letters d
left join source_files f on f.file_id = d.file_id and f.pipeline = d.pipeline and f.generation = d.generation
where d.pipeline = $1 and d.id = $2::bigint`;

const COUNT_BY_REASON = `
select reason,
  count(*) filter (where retry_outcome is null or retry_outcome = 'rejected') as open,
  count(*) filter (where retry_outcome in ('written', 'duplicate', 'conflict')) as retried
from dead_letters where pipeline = $1 group by reason order by reason`;

const PROGRESS = `
select case when retry_requested_at is null then retry_outcome end as outcome, count(*) as count
from dead_letters
where pipeline = $1 and reason = $2
  and (retry_requested_at is not null or ${msOf("retried_at")} >= $3)
group by 1`;

const EXPORT = `
select ${SUMMARY}, d.file_id, d.raw
from dead_letters d
where d.pipeline = $1 and ($2::text is null or d.reason = $2) and d.id > $3::bigint
order by d.id limit $4`;

const IN_PURGE = `d.pipeline = $1 and ($2::text is null or d.reason = $2)
  and ($3::bigint is null or ${msOf("d.created_at")} < $3)`;

// A pending retry is answered first. What no committed position has passed may be read again, by a job server's run
// that was not finished: its letter says that it has been counted.
const IS_PURGEABLE = `d.retry_requested_at is null and exists (
  select from source_files f
  where f.pipeline = d.pipeline and f.file_id = d.file_id
    and (f.generation > d.generation or (f.generation = d.generation and f.byte_offset >= d.byte_end))
)`;

const PURGE = `
with purged as (
  delete from dead_letters d
  where d.id in (select d.id from dead_letters d where ${IN_PURGE} and ${IS_PURGEABLE} limit ${PURGED_AT_ONCE})
    and d.retry_requested_at is null
  returning d.id
)
select count(*)::integer as count from purged`;
