/** What can be done with the dead letters of a pipeline: looked at, tried again, exported, deleted. */
import type {
  DeadLetterDetail,
  DeadLetterQuery,
  DeadLetterReasons,
  DeadLetterRetry,
  DeadLetterSummary,
  Page,
} from "./job-view.js";

/** Ids are those of `DeadLetterSummary`. Every method throws a `DeadLetterError` for what its caller can put right. */
export interface DeadLetterActions {
  /** Newest first. A search looks at a bounded number of letters: a page may have fewer and still a next one. */
  list(query?: DeadLetterQuery): Promise<Page<DeadLetterSummary>>;
  /** @throws DeadLetterError `not_found` */
  show(id: string): Promise<DeadLetterDetail>;
  /** @param points how many spans of time, at most */
  reasons(points?: number): Promise<DeadLetterReasons>;
  /**
   * Asks for the letter's record to be tried again by the pipeline's run on the direct runner, the present or the next.
   * @throws DeadLetterError `not_found`, `pending`, `settled`, `too_large`; `not_taken` on a job server
   */
  retryOne(id: string, request: RetryRequest): Promise<DeadLetterRetry>;
  /**
   * Asks for every letter of the reason that is neither pending nor settled.
   * @throws DeadLetterError `not_taken` on a job server
   */
  retryReason(reason: string, by: string): Promise<RequestedRetries>;
  /** How far the retries of a reason are that were asked for at `atMs`. */
  retryProgress(reason: string, atMs: number): Promise<RetriesInProgress>;
  /** Lines of NDJSON with their ends, oldest letter first, as in the error directory. */
  export(reason?: string): AsyncIterable<string>;
  /** How many a purge would delete, and how many letters of the same filter it would keep. */
  purgeable(filter: DeadLetterPurge): Promise<{ readonly purgeable: number; readonly kept: number }>;
  /** Deletes letters and not their counts; keeps those with a pending retry, and those whose place may be read again. */
  purge(filter: DeadLetterPurge): Promise<{ readonly purged: number; readonly kept: number }>;
}

export interface RetryRequest {
  /** Who asks, for whoever looks at the letter later. */
  readonly by: string;
  /** The record as edited, one of at most `RETRY_BYTES_MAX`; by default as it stands. */
  readonly raw?: Buffer;
}

export interface RequestedRetries {
  readonly requested: number;
  /** By the database's clock. */
  readonly atMs: number;
}

export interface RetriesInProgress {
  readonly pending: number;
  /** By outcome, each left out where there is none. */
  readonly decided: Readonly<Partial<Record<Exclude<DeadLetterRetry["status"], "requested">, number>>>;
}

export interface DeadLetterPurge {
  readonly reason?: string;
  /** Only letters that came before. */
  readonly beforeMs?: number;
}

/** Bytes of an edited record: what record formats take is 1 MiB, its line end not counted. */
export const RETRY_BYTES_MAX = 1024 * 1024 + 2;
/** Letters on one page. */
export const PAGE_LETTERS_MAX = 200;

export type DeadLetterErrorCode =
  | "invalid_id"
  | "invalid_limit"
  | "not_found"
  | "not_taken"
  | "pending"
  | "settled"
  | "too_large";

/** Something that the caller can put right; the message names it. */
export class DeadLetterError extends Error {
  override readonly name = "DeadLetterError";

  constructor(
    readonly code: DeadLetterErrorCode,
    message: string,
  ) {
    super(message);
  }
}
