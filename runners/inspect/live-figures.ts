/** Rates, latency, backlog and lag of a job as of now, out of its commits; pure, time comes in with every call. */
import type { CommitReport, SourceProgress } from "../job/job.js";
import type { Percentiles } from "../job/job-view.js";
import { type Latency, latenciesOf, percentiles } from "./latencies.js";

const RATE_WINDOW_MS = 5_000;
const LATENCY_WINDOW_MS = 60_000;
/** What of a minute's latencies is kept at the most. */
const LATENCIES_MAX = 10_000;

export class LiveFigures {
  readonly #startedAtMs: number;
  #recent: { readonly atMs: number; readonly read: number; readonly written: number }[] = [];
  #latencies: { readonly atMs: number; readonly latency: Latency }[] = [];

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  add(commit: CommitReport): void {
    const { committedAtMs: atMs, counts } = commit;
    this.#recent.push({ atMs, read: counts.recordsRead, written: counts.eventsWritten });
    for (const latency of latenciesOf(commit)) this.#latencies.push({ atMs, latency });
    this.#forget(atMs);
  }

  rates(nowMs: number): { inPerSecond: number; outPerSecond: number } {
    this.#forget(nowMs);
    const spanMs = Math.min(RATE_WINDOW_MS, Math.max(nowMs - this.#startedAtMs, 1_000));
    const sum = (of: "read" | "written") => this.#recent.reduce((all, one) => all + one[of], 0);
    return { inPerSecond: (sum("read") * 1_000) / spanMs, outPerSecond: (sum("written") * 1_000) / spanMs };
  }

  /** Of the last minute. */
  latency(nowMs: number): Percentiles | null {
    this.#forget(nowMs);
    return percentiles(this.#latencies.map(({ latency }) => latency));
  }

  #forget(nowMs: number): void {
    this.#recent = this.#recent.filter(({ atMs }) => atMs > nowMs - RATE_WINDOW_MS);
    this.#latencies = this.#latencies
      .filter(({ atMs }) => atMs > nowMs - LATENCY_WINDOW_MS)
      .slice(-LATENCIES_MAX);
  }
}

export function backlogOf(sources: readonly SourceProgress[]): { files: number; bytes: number } {
  return {
    files: sources.reduce((sum, { backlogFiles }) => sum + backlogFiles, 0),
    bytes: sources.reduce((sum, { backlogBytes }) => sum + backlogBytes, 0),
  };
}
