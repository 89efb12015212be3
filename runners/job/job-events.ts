/** What a job tells of itself: states, messages and events, for whoever looks on. */
import type { Log } from "../../transforms/primitives/do-fn.js";
import type { JobEvent } from "./job.js";
import type { JobState } from "./job-state.js";
import { type JobMessage, type LogLevel, MessageLog } from "./messages.js";

/** Of one job. Its listeners only look on: what they fail with is logged, and nobody's failure. */
export class JobEvents {
  /** The job's log; its lines are messages of the job too. */
  readonly log: Log;
  readonly #messages: MessageLog;
  readonly #listeners = new Set<(event: JobEvent) => void>();
  #state: JobState = "STARTING";

  constructor(now: () => number, log: Log) {
    this.#messages = new MessageLog(now);
    this.log = alsoTo(this.#messages, log);
    this.#messages.state(this.#state);
  }

  get state(): JobState {
    return this.#state;
  }

  get hasEnded(): boolean {
    return ENDS.has(this.#state);
  }

  enter(state: JobState): void {
    this.#state = state;
    this.#messages.state(state);
    this.tell({ type: "state", state });
  }

  /** The job has failed: nothing more than its end follows. */
  failed(error: Error): void {
    this.#messages.log("error", error.message, { error });
    this.enter("FAILED");
  }

  tell(event: JobEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.log.error(`a listener failed at the job's event "${event.type}"`, { error });
      }
    }
  }

  subscribe(listener: (event: JobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  messages(): AsyncIterable<JobMessage> {
    return this.#messages.read();
  }

  /** No message will follow. */
  close(): void {
    this.#messages.close();
  }
}

const ENDS: ReadonlySet<JobState> = new Set(["DONE", "DRAINED", "CANCELLED", "FAILED"]);

function alsoTo(messages: MessageLog, log: Log): Log {
  const at = (level: LogLevel) => (message: string, facts?: Record<string, unknown>) => {
    messages.log(level, message, facts);
    log[level](message, facts);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
