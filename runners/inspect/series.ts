/** Figures over time as charts take them: spans of samples as columns, and how often each value came; pure. */
import type { SampleSpan } from "../../sql/job-samples.js";
import type { Histogram, Series } from "../job/job-view.js";

const COLUMNS: Readonly<Record<string, (span: SampleSpan) => number | null>> = {
  inPerSecond: ({ recordsRead, coveredMs }) => (recordsRead * 1_000) / coveredMs,
  outPerSecond: ({ eventsWritten, coveredMs }) => (eventsWritten * 1_000) / coveredMs,
  processedPerSecond: ({ recordsRead, batchMs }) => (batchMs > 0 ? (recordsRead * 1_000) / batchMs : null),
  batchDurationMs: ({ batchMs, batches }) => (batches > 0 ? batchMs / batches : null),
  recordsPerBatch: ({ recordsRead, batches }) => (batches > 0 ? recordsRead / batches : null),
  latencyP50Ms: ({ latencyP50Ms }) => latencyP50Ms,
  latencyP99Ms: ({ latencyP99Ms }) => latencyP99Ms,
  watermarkLagMs: ({ watermarkLagMs }) => watermarkLagMs,
  backlogBytes: ({ backlogBytes }) => backlogBytes,
  backlogFiles: ({ backlogFiles }) => backlogFiles,
  deadLettersPerSecond: ({ deadLetters, coveredMs }) => (deadLetters * 1_000) / coveredMs,
  duplicatesPerSecond: ({ duplicates, coveredMs }) => (duplicates * 1_000) / coveredMs,
  rssBytes: ({ rssBytes }) => rssBytes,
  cpuShare: ({ cpuShare }) => cpuShare,
};

const BINS = 12;

export function toSeries(spans: readonly SampleSpan[], fromMs: number, toMs: number): Series {
  const values = Object.fromEntries(Object.entries(COLUMNS).map(([name, of]) => [name, spans.map(of)]));
  const histograms = Object.fromEntries(
    Object.entries(values).map(([name, column]) => [
      name,
      histogram(column.filter((value): value is number => value !== null)),
    ]),
  );
  return { fromMs, toMs, atMs: spans.map(({ atMs }) => atMs), values, histograms };
}

/** Equal bins from 0 to the largest value. */
function histogram(values: readonly number[]): Histogram {
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  if (largest === 0)
    return { upTo: values.length === 0 ? [] : [0], counts: values.length === 0 ? [] : [values.length] };
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.ceil((value / largest) * BINS) - 1));
    counts[bin]! += 1;
  }
  return { upTo: counts.map((_, bin) => (largest * (bin + 1)) / BINS), counts };
}
