/** What an error of the database asks for: to try again, to part with a row, or to stop. */

/**
 * - `retry`: the database, not the data, is in the way; the same transaction may go through later.
 * - `reject-row`: a row breaks a rule of the database; without it the rest goes through.
 * - `fatal`: trying again would fail again.
 */
export type Verdict = "retry" | "reject-row" | "fatal";

/** By SQLSTATE, and by the system's error codes where the connection gave none. Looks through `cause`. */
export function classify(error: unknown): Verdict {
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) {
    if (RETRY.test(sqlState)) return "retry";
    return REJECT_ROW.test(sqlState) ? "reject-row" : "fatal";
  }
  return isNetworkError(error) ? "retry" : "fatal";
}

/** The SQLSTATE the server gave, of the error or of what caused it. */
export function sqlStateOf(error: unknown): string | undefined {
  for (const one of causes(error)) {
    if (typeof one.code === "string" && SQL_STATE.test(one.code)) return one.code;
  }
  return undefined;
}

/** The pause before attempt `attempt` (1, 2, …): anywhere up to a bound that doubles until its cap (full jitter). */
export function backoffMs(attempt: number, random: () => number): number {
  const doublings = Math.min(Math.max(attempt, 1) - 1, BACKOFF_DOUBLINGS_MAX);
  return Math.floor(random() * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** doublings));
}

export const BACKOFF_BASE_MS = 100;
export const BACKOFF_MAX_MS = 5_000;
const BACKOFF_DOUBLINGS_MAX = 16;

/** Not EPIPE or EBUSY, which are the system's. */
const SQL_STATE = /^(?!E[A-Z]{4}$)[0-9A-Z]{5}$/;
const RETRY = /^(08...|57P0.|57014|40001|40003|40P01|53...|55P03|25006|25P03|58...)$/;
const REJECT_ROW = /^(22...|23...|P0001)$/;
const NETWORK_CODES = new Set([
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EAI_AGAIN",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);
/** A lost connection for which the driver has words only. */
const NETWORK_MESSAGES = new Set([
  "Connection terminated unexpectedly",
  "Connection terminated due to connection timeout",
  "Client has encountered a connection error and is not queryable",
  "timeout expired",
]);
const CAUSES_MAX = 10;

interface ErrorLike {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
}

function isNetworkError(error: unknown): boolean {
  return causes(error).some(
    ({ code, message }) => NETWORK_CODES.has(String(code)) || NETWORK_MESSAGES.has(String(message)),
  );
}

function causes(error: unknown): ErrorLike[] {
  const found: ErrorLike[] = [];
  for (let one = error; isObject(one) && found.length < CAUSES_MAX; one = (one as ErrorLike).cause)
    found.push(one);
  return found;
}

function isObject(value: unknown): value is ErrorLike {
  return typeof value === "object" && value !== null;
}
