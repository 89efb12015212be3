/** The dead letters of a pipeline in its database. */
import { isUtf8 } from "node:buffer";
import { deadLetterLine } from "../../sql/dead-letter-line.js";
import {
  countByReason,
  countOverTime,
  countPurgeable,
  exportLetters,
  findLetter,
  type LetterRow,
  type LetterSummaryRow,
  listLetters,
  purgeLetters,
  readRetryProgress,
} from "../../sql/dead-letter-queries.js";
import { readClockMs, requestRetriesOf, requestRetry } from "../../sql/dead-letter-retries.js";
import { escaped } from "../../sql/printable.js";
import type { SqlQueries } from "../../sql/sql-session.js";
import {
  type DeadLetterActions,
  DeadLetterError,
  type DeadLetterPurge,
  PAGE_LETTERS_MAX,
  RETRY_BYTES_MAX,
  type RequestedRetries,
  type RetryRequest,
} from "./dead-letter-actions.js";
import type {
  DeadLetterDetail,
  DeadLetterQuery,
  DeadLetterReasons,
  DeadLetterRetry,
  DeadLetterSummary,
  Page,
} from "./job-view.js";

export interface StoredDeadLettersOptions {
  /** In no transaction. */
  readonly queries: SqlQueries;
  readonly pipeline: string;
  /** Parts a record into its fields, whatever their number; undefined where its bytes cannot be parted. */
  readonly readFields: (raw: Buffer) => readonly string[] | undefined;
  /** What has the pipeline where its graph reads no retries, as none would be answered: e.g. `runner flink`. */
  readonly heldWithoutRetries?: string | undefined;
}

const PAGE_LETTERS = 50;
const POINTS = 60;
/** The largest `bigint` has 19 digits. */
const ID = /^\d{1,18}$/;

export class StoredDeadLetters implements DeadLetterActions {
  readonly #options: StoredDeadLettersOptions;

  constructor(options: StoredDeadLettersOptions) {
    this.#options = options;
  }

  async list(query: DeadLetterQuery = {}): Promise<Page<DeadLetterSummary>> {
    const { queries, pipeline } = this.#options;
    const { reason = null, search = null, limit = PAGE_LETTERS, before = null } = query;
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= PAGE_LETTERS_MAX)) {
      const rule = `must be a whole number from 1 to ${PAGE_LETTERS_MAX}`;
      throw new DeadLetterError("invalid_limit", `limit ${rule}, got ${limit}`);
    }
    if (before !== null) checkId(before);
    const filter = { reason: reason === null ? null : escaped(reason), search, before, limit };
    const { letters, next } = await listLetters(queries, pipeline, filter);
    return { items: letters.map(toSummary), next };
  }

  async show(id: string): Promise<DeadLetterDetail> {
    const { queries, pipeline, readFields } = this.#options;
    checkId(id);
    const letter = await findLetter(queries, pipeline, id);
    if (letter === undefined) throw this.#notFound(id);
    const { raw } = letter;
    return {
      ...toSummary(letter),
      rawBase64: raw.toString("base64"),
      text: isUtf8(raw) ? raw.toString("utf8") : null,
      fields: fieldsOf(letter, readFields),
    };
  }

  async reasons(points = POINTS): Promise<DeadLetterReasons> {
    const { queries, pipeline } = this.#options;
    const counts = await countByReason(queries, pipeline);
    const overTime = await countOverTime(queries, pipeline, points);
    const series: Record<string, number[]> = {};
    for (const { reason, span, count } of overTime?.counts ?? []) {
      series[reason] ??= new Array<number>(overTime!.spans).fill(0);
      series[reason][span] = count;
    }
    const open = counts.filter(({ open }) => open > 0);
    return {
      total: open.reduce((sum, { open }) => sum + open, 0),
      byReason: Object.fromEntries(open.map(({ reason, open }) => [reason, open])),
      retried: counts.reduce((sum, { retried }) => sum + retried, 0),
      atMs: Array.from({ length: overTime?.spans ?? 0 }, (_, n) => overTime!.fromMs + n * overTime!.spanMs),
      series,
    };
  }

  async retryOne(id: string, { by, raw }: RetryRequest): Promise<DeadLetterRetry> {
    const { queries, pipeline } = this.#options;
    this.#mustTakeRetries();
    checkId(id);
    if (raw !== undefined && raw.length > RETRY_BYTES_MAX) {
      const rule = `must be at most ${RETRY_BYTES_MAX} bytes long`;
      throw new DeadLetterError(
        "too_large",
        `the edited record of dead letter ${id} ${rule}, got ${raw.length}`,
      );
    }
    const answer = await requestRetry(queries, pipeline, id, { by, raw: raw ?? null });
    if (answer === "missing") throw this.#notFound(id);
    const { retry } = await this.show(id);
    if (answer === "requested") return retry!;
    if (answer === "pending") {
      throw new DeadLetterError(
        "pending",
        `a retry of dead letter ${id} is pending, asked for by ${retry!.by}`,
      );
    }
    throw new DeadLetterError(
      "settled",
      `dead letter ${id} is settled: its record was tried again by ${retry!.by} and is ${retry!.status} since epoch ${retry!.epoch}`,
    );
  }

  async retryReason(reason: string, by: string): Promise<RequestedRetries> {
    const { queries, pipeline } = this.#options;
    this.#mustTakeRetries();
    const atMs = await readClockMs(queries);
    return { requested: await requestRetriesOf(queries, pipeline, escaped(reason), by), atMs };
  }

  retryProgress(reason: string, atMs: number): ReturnType<DeadLetterActions["retryProgress"]> {
    return readRetryProgress(this.#options.queries, this.#options.pipeline, escaped(reason), atMs);
  }

  async *export(reason?: string): AsyncGenerator<string, void> {
    const { queries, pipeline } = this.#options;
    const letters = exportLetters(queries, pipeline, reason === undefined ? null : escaped(reason));
    for await (const letter of letters) yield deadLetterLine(letter, pipeline, letter.epoch);
  }

  purgeable(filter: DeadLetterPurge): ReturnType<DeadLetterActions["purgeable"]> {
    return countPurgeable(this.#options.queries, this.#options.pipeline, toPurgeFilter(filter));
  }

  async purge(filter: DeadLetterPurge): ReturnType<DeadLetterActions["purge"]> {
    const { queries, pipeline } = this.#options;
    const purged = await purgeLetters(queries, pipeline, toPurgeFilter(filter));
    const { purgeable, kept } = await this.purgeable(filter);
    return { purged, kept: kept + purgeable };
  }

  #mustTakeRetries(): void {
    const { pipeline, heldWithoutRetries: holder } = this.#options;
    if (holder === undefined) return;
    throw new DeadLetterError(
      "not_taken",
      `${holder} takes no retries of dead letters: run pipeline "${pipeline}" with --runner=direct for them`,
    );
  }

  #notFound(id: string): DeadLetterError {
    return new DeadLetterError("not_found", `pipeline "${this.#options.pipeline}" has no dead letter ${id}`);
  }
}

function checkId(id: string): void {
  if (ID.test(id)) return;
  throw new DeadLetterError(
    "invalid_id",
    `the id of a dead letter must be a number, got ${JSON.stringify(id)}`,
  );
}

function toPurgeFilter({ reason, beforeMs }: DeadLetterPurge) {
  return { reason: reason === undefined ? null : escaped(reason), beforeMs: beforeMs ?? null };
}

function toSummary(row: LetterSummaryRow): DeadLetterSummary {
  return {
    id: row.id,
    reason: row.reason,
    sourceFile: row.source_file,
    generation: row.generation,
    line: row.line,
    byteStart: row.byte_start,
    byteEnd: row.byte_end,
    epoch: row.epoch,
    createdAtMs: row.created_ms,
    messages: row.messages,
    retry: toRetry(row),
  };
}

function toRetry(row: LetterSummaryRow): DeadLetterRetry | null {
  const attempts = row.retry_attempts;
  if (row.retry_requested_ms !== null) {
    const by = row.retry_requested_by ?? "";
    return {
      status: "requested",
      by,
      atMs: row.retry_requested_ms,
      epoch: null,
      messages: [],
      reason: null,
      attempts,
    };
  }
  if (row.retry_outcome === null || row.retried_ms === null) return null;
  return {
    status: row.retry_outcome,
    by: row.retried_by ?? "",
    atMs: row.retried_ms,
    epoch: row.retried_epoch,
    messages: row.retry_messages ?? [],
    reason: row.retry_reason,
    attempts,
  };
}

/** By the header's names; a field beyond them has its number. */
function fieldsOf(
  { raw, header, reason, messages }: LetterRow,
  readFields: StoredDeadLettersOptions["readFields"],
): DeadLetterDetail["fields"] {
  const values = header === null ? undefined : readFields(raw);
  if (header === null || values === undefined) return null;
  const isFailing = failingFields(reason, messages);
  const count = Math.max(header.length, values.length);
  return Array.from({ length: count }, (_, at) => {
    const name = header[at] ?? `field ${at + 1}`;
    return { name, value: values[at] ?? "", isFailing: isFailing(name) };
  });
}

/** What the reason and the messages name: `invalid_price`, `price: must be …`, `SQLSTATE 23514, column price, …`. */
function failingFields(reason: string, messages: readonly string[]): (name: string) => boolean {
  return (name) =>
    reason === `invalid_${name}` ||
    messages.some((message) => {
      if (message.startsWith(`${name}: `)) return true;
      return message.startsWith("SQLSTATE ") && isNamedByDatabase(message.split(": ", 1)[0]!, name);
    });
}

/** PostgreSQL names the column, or a constraint that is called after its columns. */
function isNamedByDatabase(facts: string, name: string): boolean {
  return facts
    .split(", ")
    .some(
      (fact) => fact === `column ${name}` || (fact.startsWith("constraint ") && fact.includes(`_${name}_`)),
    );
}
