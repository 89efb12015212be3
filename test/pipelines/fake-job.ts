/** A job, a clock and commits that a test moves by hand. */
import type {
  CommitReport,
  Job,
  JobEvent,
  JobState,
  RecordCounts,
  SourceProgress,
} from "../../runners/job/job.js";
import { NO_METRICS } from "../../runners/job/metrics.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";

export const noCounts: RecordCounts = {
  recordsRead: 0,
  eventsWritten: 0,
  duplicates: 0,
  conflicts: 0,
  deadLetters: {},
};

/** Time stands still until `advance`. */
export class ManualClock implements Clock {
  #ms = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  /** Wall time at monotonic 0. */
  constructor(private readonly startMs = Date.UTC(2026, 0, 31, 12)) {}

  now(): number {
    return this.startMs + this.#ms;
  }
  monotonicMs(): number {
    return this.#ms;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      this.#sleepers.push({ atMs: this.#ms + ms, wake: resolve });
      signal?.addEventListener("abort", () => resolve());
    });
  }
  /** Moves time, wakes who is due, and lets them run. */
  async advance(ms: number): Promise<void> {
    this.#ms += ms;
    const due = this.#sleepers.filter(({ atMs }) => atMs <= this.#ms);
    this.#sleepers = this.#sleepers.filter(({ atMs }) => atMs > this.#ms);
    for (const { wake } of due) wake();
    await settle();
  }
}

/** Lets everything run that waits for nothing but promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Drains and cancels only as far as the test says. */
export class FakeJob implements Job {
  readonly pipeline = "user-events";
  state: JobState = "RUNNING";
  failure: Error | undefined;
  totals: RecordCounts = noCounts;
  sources: readonly SourceProgress[] = [];
  readonly metrics = NO_METRICS;
  /** What was asked of it, in order. */
  readonly calls: string[] = [];
  /** Whether drain and cancel end it by themselves. */
  endsBy = { drain: true, cancel: true };
  readonly #listeners = new Set<(event: JobEvent) => void>();
  readonly #ended: Promise<JobState>;
  #resolveEnded!: (state: JobState) => void;

  constructor() {
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get listeners(): number {
    return this.#listeners.size;
  }
  subscribe(listener: (event: JobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  emit(event: JobEvent): void {
    if (event.type === "commit") {
      this.totals = event.commit.totals;
      this.sources = event.commit.sources;
    }
    for (const listener of this.#listeners) listener(event);
  }
  drain(): Promise<JobState> {
    this.calls.push("drain");
    if (this.state === "RUNNING") this.state = "DRAINING";
    if (this.endsBy.drain) this.end("DONE");
    return this.#ended;
  }
  cancel(): Promise<JobState> {
    this.calls.push("cancel");
    this.state = "CANCELLING";
    if (this.endsBy.cancel) this.end("CANCELLED");
    return this.#ended;
  }
  waitUntilFinish(): Promise<JobState> {
    return this.#ended;
  }
  async *messages(): AsyncGenerator<never> {}
  end(state: JobState, failure?: Error): void {
    this.state = state;
    this.failure = failure;
    this.#resolveEnded(state);
  }
}

/** A commit of two files' worth of events; what matters to a test is put over it. */
export function commitReport(over: Partial<CommitReport> = {}): CommitReport {
  const at = Date.UTC(2026, 0, 31, 12, 0, 1);
  return {
    pipeline: "user-events",
    runId: "11111111-2222-4333-8444-555555555555",
    epoch: 7,
    startedAtMs: at - 200,
    committedAtMs: at,
    durationMs: { read: 50, wait: 10, sink: 120, commit: 20 },
    counts: {
      recordsRead: 100,
      eventsWritten: 90,
      duplicates: 4,
      conflicts: 1,
      deadLetters: { invalid_price: 5 },
    },
    totals: {
      recordsRead: 1_100,
      eventsWritten: 1_000,
      duplicates: 60,
      conflicts: 10,
      deadLetters: { invalid_price: 30 },
    },
    eventTime: { minMs: at - 1_500, maxMs: at - 500 },
    watermarkMs: at - 5_500,
    sources: [sourceProgress()],
    ...over,
  };
}

export function sourceProgress(over: Partial<SourceProgress> = {}): SourceProgress {
  return {
    description: "data/raw",
    startOffset: { "a.csv": 0 },
    endOffset: { "a.csv": 6_400 },
    records: 100,
    backlogBytes: 0,
    backlogFiles: 0,
    ...over,
  };
}

/** Keeps lines as `level message`. */
export function listLog(lines: string[]): Log {
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
