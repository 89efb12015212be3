/** A commit in the field names of Spark's StreamingQueryProgress, so that its readers can read ours. */
import { createHash } from "node:crypto";
import type { CommitReport, SourceProgress } from "../../runners/job/job.js";
import { formatInstant } from "./format-quantity.js";
import { countsAsJson } from "./json-reporter.js";
import type { Reporter } from "./reporter.js";

/** What a log of JSON lines must do; see transforms/rotating-line-log.ts. It must not throw. */
export interface RecordLog {
  append(record: object): void;
  close(): Promise<void>;
}

/** Writes one line a commit to `logs/streaming_metrics.log`. */
export function createMetricsReporter(lines: RecordLog, sinkDescription: string): Reporter {
  let previousStartMs: number | undefined;
  return {
    commit(commit) {
      lines.append(toStreamingProgress(commit, previousStartMs, sinkDescription));
      previousStartMs = commit.startedAtMs;
    },
    end: () => lines.close(),
  };
}

/**
 * Spark's fields in Spark's order, then ours in snake_case. As with Spark, `inputRowsPerSecond` counts
 * from the start of the commit before (0 for the first), `processedRowsPerSecond` over the commit's own
 * duration; what has no value is left out. The mean event time is not known here, so `eventTime` has no `avg`.
 */
export function toStreamingProgress(
  commit: CommitReport,
  previousStartMs: number | undefined,
  sinkDescription: string,
) {
  const { counts, totals } = commit;
  const durationMs = commit.committedAtMs - commit.startedAtMs;
  const gapMs = previousStartMs === undefined ? 0 : commit.startedAtMs - previousStartMs;
  const rates = (rows: number) => ({
    numInputRows: rows,
    inputRowsPerSecond: perSecond(rows, gapMs),
    processedRowsPerSecond: perSecond(rows, durationMs),
  });
  return {
    id: nameBasedUuid(commit.pipeline),
    runId: commit.runId,
    name: commit.pipeline,
    timestamp: formatInstant(commit.startedAtMs),
    batchId: commit.epoch,
    batchDuration: durationMs,
    ...rates(counts.recordsRead),
    durationMs: { ...commit.durationMs, triggerExecution: durationMs },
    eventTime: describeEventTime(commit),
    stateOperators: [],
    sources: commit.sources.map((source) => describeSource(source, rates)),
    sink: { description: sinkDescription, numOutputRows: counts.eventsWritten },
    duplicates: counts.duplicates,
    conflicts: counts.conflicts,
    dead_letters: counts.deadLetters,
    totals: countsAsJson(totals),
  };
}

function describeSource<Rates>(source: SourceProgress, rates: (rows: number) => Rates) {
  return {
    description: source.description,
    startOffset: source.startOffset,
    endOffset: source.endOffset,
    ...rates(source.records),
    backlog_files: source.backlogFiles,
    backlog_bytes: source.backlogBytes,
  };
}

function describeEventTime({ eventTime, watermarkMs }: CommitReport) {
  return {
    ...(eventTime === null
      ? {}
      : { min: formatInstant(eventTime.minMs), max: formatInstant(eventTime.maxMs) }),
    ...(watermarkMs === null ? {} : { watermark: formatInstant(watermarkMs) }),
  };
}

function perSecond(rows: number, ms: number): number {
  return ms <= 0 ? 0 : (rows * 1_000) / ms;
}

/** Spark's `id` stays the same over restarts; ours is the name's UUID (RFC 9562, version 5, DNS namespace). */
function nameBasedUuid(pipeline: string): string {
  const hash = createHash("sha1").update(DNS_NAMESPACE).update(`${pipeline}.millrace.invalid`).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  return hash.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const DNS_NAMESPACE = Buffer.from("6ba7b8109dad11d180b400c04fd430c8", "hex");
