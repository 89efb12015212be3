/** Log lines to the runner: in batches, as many as it takes, and never at the cost of a bundle. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import {
  type LogControl,
  LogEntry,
  type LogEntry_List,
  LogEntry_Severity_Enum,
} from "apache-beam/proto/beam_fn_api";
import { BeamFnLoggingClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { CLIENT_OPTIONS, PLAINTEXT, RunnerStream, workerMetadata } from "./runner-stream.js";

/** Entries of one message, and those that wait for theirs; behind it the oldest are dropped. */
const BATCH_MAX = 100;
const WAITING_MAX = 10_000;

/** Where lines go that the runner does not take. */
export type Fallback = (line: string) => void;

export class LoggingStream {
  readonly #stream: RunnerStream<LogEntry_List, LogControl>;
  readonly #fallback: Fallback;
  readonly #waiting: LogEntry[] = [];
  #dropped = 0;
  #isSending = false;
  #isLost = false;

  constructor(endpoint: string, workerId: string, fallback: Fallback) {
    this.#fallback = fallback;
    const client = new BeamFnLoggingClient(endpoint, PLAINTEXT, CLIENT_OPTIONS);
    this.#stream = new RunnerStream(
      "logging",
      endpoint,
      client,
      () => client.logging(workerMetadata(workerId)),
      {
        message: () => undefined,
        end: () => {
          this.#isLost = true;
          for (const { message } of this.#waiting.splice(0)) fallback(message);
        },
      },
    );
  }

  /** The log of a step. */
  of(transformId: string): Log {
    const { DEBUG, INFO, WARN, ERROR } = LogEntry_Severity_Enum;
    const at = (severity: LogEntry_Severity_Enum) => (message: string, facts?: Record<string, unknown>) =>
      this.#add(severity, transformId, message, facts);
    return { debug: at(DEBUG), info: at(INFO), warn: at(WARN), error: at(ERROR) };
  }

  /** Sends what waits and closes. */
  async close(): Promise<void> {
    while (this.#isSending && !this.#isLost) await new Promise((resolve) => setTimeout(resolve, 1));
    this.#stream.close();
  }

  #add(
    severity: LogEntry_Severity_Enum,
    transformId: string,
    message: string,
    facts: Record<string, unknown> = {},
  ): void {
    const text = Object.keys(facts).length === 0 ? message : `${message} ${factsText(facts)}`;
    if (this.#isLost) {
      this.#fallback(text);
      return;
    }
    const error = facts["error"] ?? facts["err"];
    const trace = error instanceof Error ? (error.stack ?? "") : "";
    this.#waiting.push(LogEntry.create({ severity, transformId, message: text, trace, timestamp: now() }));
    if (this.#waiting.length > WAITING_MAX) {
      this.#waiting.shift();
      this.#dropped++;
    }
    if (!this.#isSending) void this.#send();
  }

  /** One message at a time; what comes meanwhile is the next one. */
  async #send(): Promise<void> {
    this.#isSending = true;
    try {
      await Promise.resolve(); // what is logged at once goes together
      while (this.#waiting.length > 0 && !this.#isLost) {
        const logEntries = this.#waiting.splice(0, BATCH_MAX);
        if (this.#dropped > 0) {
          const message = `${this.#dropped} log lines were dropped: the runner takes them too slowly`;
          this.#dropped = 0;
          logEntries.push(
            LogEntry.create({ severity: LogEntry_Severity_Enum.WARN, message, timestamp: now() }),
          );
        }
        try {
          await this.#stream.write({ logEntries });
        } catch {
          for (const { message } of logEntries) this.#fallback(message); // the stream says itself that it is lost
        }
      }
    } finally {
      this.#isSending = false;
    }
  }
}

function now(): { seconds: bigint; nanos: number } {
  const ms = Date.now();
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

function factsText(facts: Record<string, unknown>): string {
  return JSON.stringify(facts, (_, value) => {
    if (typeof value === "bigint") return `${value}`;
    return value instanceof Error ? value.message : value;
  });
}
