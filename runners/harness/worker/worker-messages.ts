/** What a worker tells whoever started it, and what it is told: over a thread's port or a process's channel. */
import type { Log } from "../../../transforms/primitives/do-fn.js";

export type LogLevel = keyof Log;

export type FromWorker =
  | { readonly kind: "log"; readonly level: LogLevel; readonly message: string; readonly facts: LogFacts }
  /** The modules are imported and the harness runs. */
  | { readonly kind: "started" }
  /** The job that the worker is of, by the name that its client gave it. */
  | { readonly kind: "job"; readonly job: string }
  /** The worker cannot start, and answers its runner so for as long as that asks. */
  | { readonly kind: "refused"; readonly message: string }
  /** The worker ends with exit code 1 for this reason, in one line. */
  | { readonly kind: "failed"; readonly message: string };

export type ToWorker = { readonly kind: "stop" };

type LogFacts = Record<string, unknown>;

/** A log whose lines are sent; facts that cannot be sent are sent as text. */
export function sendingLog(send: (message: FromWorker) => void): Log {
  const at =
    (level: LogLevel) =>
    (message: string, facts: LogFacts = {}) =>
      send({ kind: "log", level, message, facts: plainFacts(facts) });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function plainFacts(facts: LogFacts): LogFacts {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return value === null || ["string", "number", "boolean"].includes(typeof value) ? value : String(value);
}

/** The first line of an error with those of its causes: what fits into a log line. */
export function inOneLine(error: unknown): string {
  const lines: string[] = [];
  for (let cause = error; cause !== undefined && lines.length < CAUSES_MAX; ) {
    const text = cause instanceof Error ? cause.message || cause.name : String(cause);
    const line = text.trim().split("\n", 1)[0]!;
    if (!lines.some((known) => known.includes(line))) lines.push(line);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines.join(": ");
}

const CAUSES_MAX = 4;
