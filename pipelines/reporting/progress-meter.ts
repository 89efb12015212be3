/** Rate, backlog and lag of a job, out of its commits; pure, time comes in with every call. */
import type { CommitReport, RecordCounts, SourceProgress } from "../../runners/job/job.js";

/** What can be shown at one moment. */
export interface Progress {
  readonly totals: RecordCounts;
  /** Records read a second, over the last `RATE_WINDOW_MS`. */
  readonly recordsPerSecond: number;
  readonly backlogBytes: number;
  readonly backlogFiles: number;
  /** How far behind the newest event time the last commit was; null before the first event time. */
  readonly lagMs: number | null;
  /** Of the backlog, while there is a big one: how much is done, and when the rest will be. */
  readonly backlog: { readonly doneShare: number; readonly remainingMs: number | null } | null;
}

const RATE_WINDOW_MS = 5_000;
/** A rate over less than this would say more about the clock than about the job. */
const RATE_SPAN_MS_MIN = 1_000;
/** A backlog smaller than this is gone before a bar for it could be read. */
const BAR_BYTES_MIN = 4_000_000;

interface BacklogStart {
  readonly bytes: number;
  readonly atMs: number;
}

export class ProgressMeter {
  #totals: RecordCounts;
  #sources: readonly SourceProgress[];
  #recent: { readonly atMs: number; readonly records: number }[] = [];
  #windowStartMs: number;
  #lagMs: number | null = null;
  #peak: BacklogStart | undefined;

  /** `totals` and `sources` as of the last commit before the start. */
  constructor(nowMs: number, totals: RecordCounts, sources: readonly SourceProgress[]) {
    this.#totals = totals;
    this.#sources = sources;
    this.#windowStartMs = nowMs;
    this.#followBacklog(nowMs);
  }

  add(commit: CommitReport): void {
    this.#totals = commit.totals;
    this.#sources = commit.sources;
    this.#recent.push({ atMs: commit.committedAtMs, records: commit.counts.recordsRead });
    if (commit.eventTime !== null) this.#lagMs = commit.committedAtMs - commit.eventTime.maxMs;
    this.#followBacklog(commit.committedAtMs);
  }

  at(nowMs: number): Progress {
    const since = Math.max(nowMs - RATE_WINDOW_MS, this.#windowStartMs);
    this.#recent = this.#recent.filter(({ atMs }) => atMs > nowMs - RATE_WINDOW_MS);
    const records = this.#recent.reduce((sum, entry) => sum + entry.records, 0);
    return {
      totals: this.#totals,
      recordsPerSecond: (records * 1_000) / Math.max(nowMs - since, RATE_SPAN_MS_MIN),
      backlogBytes: this.#backlogBytes(),
      backlogFiles: this.#sources.reduce((sum, source) => sum + source.backlogFiles, 0),
      lagMs: this.#lagMs,
      backlog: this.#backlogAt(nowMs),
    };
  }

  #backlogBytes(): number {
    return this.#sources.reduce((sum, source) => sum + source.backlogBytes, 0);
  }

  /** A backlog starts where it was largest; new input on top starts it anew. */
  #followBacklog(nowMs: number): void {
    const bytes = this.#backlogBytes();
    if (bytes === 0) this.#peak = undefined;
    else if (this.#peak === undefined || bytes > this.#peak.bytes) this.#peak = { bytes, atMs: nowMs };
  }

  #backlogAt(nowMs: number): Progress["backlog"] {
    const peak = this.#peak;
    if (peak === undefined || peak.bytes < BAR_BYTES_MIN) return null;
    const left = this.#backlogBytes();
    const done = peak.bytes - left;
    const remainingMs = done === 0 ? null : ((nowMs - peak.atMs) * left) / done;
    return { doneShare: done / peak.bytes, remainingMs };
  }
}
