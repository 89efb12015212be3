/** What every running job shows and takes, whatever runner runs it. */
import type { RecordCounts } from "../../sql/ledger.js";
import type { ReadProgress } from "../../transforms/primitives/do-fn.js";
import type { JobState } from "./job-state.js";
import type { LiveJob } from "./live-job.js";
import type { JobMessage } from "./messages.js";
import type { MetricResults } from "./metrics.js";

export type { RecordCounts } from "../../sql/ledger.js";
export type { JobState } from "./job-state.js";

/** How far a source is, by its own account. */
export type SourceProgress = ReadProgress;

/** One committed epoch, told after its commit and never before. */
export interface CommitReport {
  readonly pipeline: string;
  readonly runId: string;
  readonly epoch: number;
  /** When the first record of the epoch was read, ms since 1970. */
  readonly startedAtMs: number;
  readonly committedAtMs: number;
  /** Where the time went, in ms, by phase: `read`, `wait`, `sink`, `commit`. */
  readonly durationMs: Readonly<Record<string, number>>;
  /** Sent to the database in its transaction; absent where others than the runner write in it. */
  readonly sentBytes?: number;
  /** Of this epoch alone. */
  readonly counts: RecordCounts;
  /** Since the pipeline's first commit. */
  readonly totals: RecordCounts;
  /** Event times seen in this epoch, ms since 1970; null when no record had one. */
  readonly eventTime: { readonly minMs: number; readonly maxMs: number } | null;
  /** The pipeline's watermark, ms since 1970, or null before the first event time. */
  readonly watermarkMs: number | null;
  /** Progress of the sources, one entry a source step. */
  readonly sources: readonly SourceProgress[];
}

/** How far the replay into another database is, which comes behind the commits. */
export interface SinkDatabaseStatus {
  /** The name of its connection. */
  readonly database: string;
  /** Committed, and still to be replayed. */
  readonly waitingEpochs: number;
  readonly waitingBytes: number;
  readonly firstWaitingEpoch: number | undefined;
  readonly lastWaitingEpoch: number | undefined;
  /** Since when it cannot be written to, ms since 1970, and why; undefined while it can. */
  readonly awaySinceMs: number | undefined;
  readonly awayReason: string | undefined;
}

export type JobEvent =
  | { readonly type: "state"; readonly state: JobState }
  | { readonly type: "commit"; readonly commit: CommitReport }
  /** The database is away or an epoch failed; the job goes on by itself after `delayMs`. */
  | {
      readonly type: "retry";
      readonly reason: string;
      readonly code: string | null;
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** A database of sinks has gone away, or is back. The job goes on as long as there is room for what waits. */
  | { readonly type: "sink-database"; readonly status: SinkDatabaseStatus };

export interface Job {
  readonly pipeline: string;
  readonly state: JobState;
  /** The error that made the job FAILED, if it did. */
  readonly failure: Error | undefined;
  /** Totals as of the last commit. */
  readonly totals: RecordCounts;
  readonly sources: readonly SourceProgress[];
  /** Other databases that sinks write to, in a run with any. */
  readonly sinkDatabases?: readonly SinkDatabaseStatus[];
  /** The steps' metrics as of now. */
  readonly metrics: MetricResults;
  /** What was logged and which states were entered: what is kept of it, then what follows, until the end. */
  messages(): AsyncIterable<JobMessage>;
  /** Absent where the graph is run by another process. */
  readonly live?: LiveJob;
  /** Calls back for everything that happens from now on; returns the way to stop it. */
  subscribe(listener: (event: JobEvent) => void): () => void;
  /** Takes no new input, commits what was read, ends. Resolves with the job's end. */
  drain(): Promise<JobState>;
  /**
   * Ends with what is being worked on, which is committed: DONE. What is kept waits for the next run. Absent where
   * nothing is kept that a drain would bring to its end.
   */
  readonly stop?: (() => Promise<JobState>) | undefined;
  /** Stops at once; what is not committed is rolled back. Resolves with the job's end. */
  cancel(): Promise<JobState>;
  /** Resolves when the job has ended, in whatever state; never rejects. */
  waitUntilFinish(): Promise<JobState>;
}
