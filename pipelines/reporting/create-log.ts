/** The log of a command: lines for people, or pino's JSON under `--json`; on stderr, without secrets. */
import { redact } from "../../sql/redact.js";
import type { Log } from "../../transforms/primitives/do-fn.js";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogOptions {
  readonly level: LogLevel;
  /** `terminal`: short time, level only when it matters. `plain`: full time and level. `json`: pino. */
  readonly style: "terminal" | "plain" | "json";
  readonly now: () => Date;
  /** Takes whole lines with their newline, at once (no buffer that a crash could lose). */
  readonly write: (text: string) => void;
}

/** Everything written passes `redact`. An Error among the facts shows its stack at level debug only. */
export async function createLog(options: LogOptions): Promise<Log> {
  const write = (text: string) => options.write(redact(text));
  const emit = options.style === "json" ? await pinoEmitter(options, write) : textEmitter(options, write);
  const least = LEVELS.indexOf(options.level);
  const at = (level: LogLevel) => {
    if (LEVELS.indexOf(level) < least) return () => undefined;
    return (message: string, facts: Record<string, unknown> = {}) =>
      emit(level, message, plainFacts(facts, options.level === "debug"));
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

type Emit = (level: LogLevel, message: string, facts: Record<string, unknown>) => void;

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Loaded only under `--json`: it costs a start-up 35 ms that lines for people do not need. */
async function pinoEmitter(options: LogOptions, write: (text: string) => void): Promise<Emit> {
  const { pino } = await import("pino");
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${options.now().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      redact: { paths: ["password", "*.password", "connection", "*.connection"], censor: "***" },
    },
    { write },
  );
  return (level, message, facts) => logger[level](facts, message);
}

function textEmitter({ style, now }: LogOptions, write: (text: string) => void): Emit {
  return (level, message, facts) => {
    const time = now().toISOString();
    const head = style === "terminal" ? shortHead(now(), level) : `${time} ${level.padEnd(5)}`;
    const tail = Object.entries(facts).map(([key, value]) => ` ${key}=${formatFact(key, value)}`);
    write(`${head} ${oneLine(message)}${tail.join("")}\n`);
  };
}

function shortHead(time: Date, level: LogLevel): string {
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()];
  const text = clock.map((part) => String(part).padStart(2, "0")).join(":");
  return level === "info" ? text : `${text} ${level}:`;
}

function formatFact(key: string, value: unknown): string {
  if (key === "password" || key === "connection") return "***";
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return /^[^\s"=]+$/.test(text) || typeof value !== "string" ? text : JSON.stringify(value);
}

/** A message may hold what a file or a server said; it must not forge a second line. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return text.replace(/[\x00-\x1f\x7f]+/g, (run) => (run.includes("\n") ? " | " : " "));
}

function plainFacts(facts: Record<string, unknown>, withStack: boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, plainFact(value, withStack)]));
}

function plainFact(value: unknown, withStack: boolean): unknown {
  if (!(value instanceof Error)) return typeof value === "bigint" ? String(value) : value;
  return withStack ? (value.stack ?? value.message) : value.message;
}
