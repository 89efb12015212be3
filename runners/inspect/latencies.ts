/** From a file's landing to the commit of its records: latencies with weights, and their percentiles. */
import type { CommitReport } from "../job/job.js";
import type { Percentiles } from "../job/job-view.js";

export interface Latency {
  readonly ms: number;
  /** Bytes, because records are not counted by file. */
  readonly weight: number;
}

/** One a file of the commit, of those whose landing is known. */
export function latenciesOf({ committedAtMs, sources }: CommitReport): Latency[] {
  return sources.flatMap(({ startOffset, endOffset, landedAtMs }) =>
    Object.entries(landedAtMs ?? {}).flatMap(([path, atMs]) => {
      const weight = (endOffset[path] ?? 0) - (startOffset[path] ?? 0);
      return weight > 0 ? [{ ms: Math.max(0, committedAtMs - atMs), weight }] : [];
    }),
  );
}

/** Of weighted values: the smallest that so much of the weight does not exceed. Null without any. */
export function percentiles(latencies: readonly Latency[]): Percentiles | null {
  if (latencies.length === 0) return null;
  const sorted = [...latencies].sort((a, b) => a.ms - b.ms);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const at = (share: number): number => {
    let passed = 0;
    for (const { ms, weight } of sorted) {
      passed += weight;
      if (passed >= total * share) return ms;
    }
    return sorted.at(-1)!.ms;
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1)!.ms };
}
