/** The messages of a job: what it logged and which states it entered, for whoever wants to follow. */
import type { JobState } from "./job-state.js";

export type JobMessage =
  | { readonly kind: "state"; readonly timeMs: number; readonly state: JobState }
  | {
      readonly kind: "log";
      readonly timeMs: number;
      readonly level: LogLevel;
      readonly message: string;
      readonly facts: Readonly<Record<string, unknown>>;
    };

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Messages that are kept for readers who come later or read slowly. */
const MESSAGES_KEPT_MAX = 1_000;

/** Keeps the last messages; each reader gets those, then what follows, until the job has ended. */
export class MessageLog {
  readonly #now: () => number;
  readonly #kept: JobMessage[] = [];
  /** Messages that were before the kept ones. */
  #dropped = 0;
  #closed = false;
  #waiting: (() => void)[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  state(state: JobState): void {
    this.#add({ kind: "state", timeMs: this.#now(), state });
  }

  log(level: LogLevel, message: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#add({ kind: "log", timeMs: this.#now(), level, message, facts });
  }

  /** No message will follow. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** A reader that is too slow is told how many messages it missed. */
  async *read(): AsyncGenerator<JobMessage, void, undefined> {
    for (let next = 0; ; ) {
      if (next < this.#dropped) {
        yield this.#missed(this.#dropped - next);
        next = this.#dropped;
      }
      const message = this.#kept[next - this.#dropped];
      if (message !== undefined) {
        next += 1;
        yield message;
      } else if (this.#closed) {
        return;
      } else {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    }
  }

  #add(message: JobMessage): void {
    this.#kept.push(message);
    if (this.#kept.length > MESSAGES_KEPT_MAX) {
      this.#kept.shift();
      this.#dropped += 1;
    }
    this.#wake();
  }

  #missed(count: number): JobMessage {
    const message = `${count} earlier messages are not kept any more`;
    return { kind: "log", timeMs: this.#now(), level: "warn", message, facts: {} };
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
