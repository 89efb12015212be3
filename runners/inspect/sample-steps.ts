/** Puts what happens to a job into steps of time, short and long ones; pure, time comes in with every call. */
import type { JobSample } from "../../sql/job-samples.js";
import type { Batch } from "../job/job-view.js";
import { type Latency, percentiles } from "./latencies.js";

/** What a job is like at one moment. */
export interface Gauges {
  readonly watermarkLagMs: number | null;
  readonly backlogBytes: number;
  readonly backlogFiles: number;
  readonly rssBytes: number;
  readonly cpuShare: number;
}

export class SampleStep {
  readonly #stepMs: number;
  #batches: Batch[] = [];
  #latencies: Latency[] = [];
  #cpuShares: number[] = [];
  #atMs: number;

  constructor(stepMs: number, nowMs: number) {
    this.#stepMs = stepMs;
    this.#atMs = startOf(nowMs, stepMs);
  }

  add(batch: Batch, latencies: readonly Latency[]): void {
    this.#batches.push(batch);
    this.#latencies.push(...latencies);
  }

  /** The step that has ended by now, if one has; what comes is the next one's. */
  tick(nowMs: number, gauges: Gauges): JobSample | undefined {
    this.#cpuShares.push(gauges.cpuShare);
    const atMs = startOf(nowMs, this.#stepMs);
    if (atMs === this.#atMs) return undefined;
    const latency = percentiles(this.#latencies);
    const sum = (of: (batch: Batch) => number) => this.#batches.reduce((all, batch) => all + of(batch), 0);
    const sample = {
      ...gauges,
      stepMs: this.#stepMs,
      atMs: this.#atMs,
      batches: this.#batches.length,
      recordsRead: sum(({ counts }) => counts.recordsRead),
      eventsWritten: sum(({ counts }) => counts.eventsWritten),
      duplicates: sum(({ counts }) => counts.duplicates),
      deadLetters: sum(({ counts }) => Object.values(counts.deadLetters).reduce((a, b) => a + b, 0)),
      batchMs: sum(({ startedAtMs, committedAtMs }) => committedAtMs - startedAtMs),
      latencyP50Ms: latency?.p50 ?? null,
      latencyP99Ms: latency?.p99 ?? null,
      cpuShare: this.#cpuShares.reduce((all, share) => all + share, 0) / this.#cpuShares.length,
    };
    this.#atMs = atMs;
    this.#batches = [];
    this.#latencies = [];
    this.#cpuShares = [];
    return sample;
  }
}

function startOf(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}
