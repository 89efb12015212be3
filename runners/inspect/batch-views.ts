/** Commits as batches: from a report to what is stored of it, and back to what is shown. */
import type { BatchRow, BatchRowWithSources } from "../../sql/batch-history.js";
import type { CommitReport } from "../job/job.js";
import type { Batch, BatchDetail, BatchSource } from "../job/job-view.js";
import { latenciesOf, percentiles } from "./latencies.js";
import { backlogOf } from "./live-figures.js";

/** Files that are named of one source in one batch. */
const FILES_MAX = 100;

/** What is stored as JSON beside the counts. */
type Detail = Pick<
  Batch,
  "durationMs" | "latencyMs" | "watermarkMs" | "eventTime" | "backlogFiles" | "backlogBytes" | "sentBytes"
>;

const NO_DETAIL: Detail = {
  durationMs: {},
  latencyMs: null,
  watermarkMs: null,
  eventTime: null,
  backlogFiles: 0,
  backlogBytes: 0,
  sentBytes: null,
};

export function batchRow(commit: CommitReport): BatchRowWithSources {
  const { epoch, runId, startedAtMs, committedAtMs, counts } = commit;
  const backlog = backlogOf(commit.sources);
  const detail: Detail = {
    durationMs: rounded(commit.durationMs),
    latencyMs: percentiles(latenciesOf(commit)),
    watermarkMs: commit.watermarkMs,
    eventTime: commit.eventTime,
    backlogFiles: backlog.files,
    backlogBytes: backlog.bytes,
    sentBytes: commit.sentBytes ?? null,
  };
  return {
    ...counts,
    epoch,
    runId,
    startedAtMs,
    committedAtMs,
    detail,
    sources: commit.sources.map(toSource),
  };
}

export function toBatch({ epoch, runId, startedAtMs, committedAtMs, detail, ...counts }: BatchRow): Batch {
  const spanMs = committedAtMs - startedAtMs;
  const rate = spanMs > 0 ? (counts.recordsRead * 1_000) / spanMs : 0;
  const known = { ...NO_DETAIL, ...(detail as Partial<Detail> | null) };
  const { recordsRead, eventsWritten, duplicates, conflicts, deadLetters } = counts;
  return {
    ...{ epoch, runId, startedAtMs, committedAtMs, ...known },
    counts: { recordsRead, eventsWritten, duplicates, conflicts, deadLetters },
    inPerSecond: rate,
    processedPerSecond: processedPerSecond(recordsRead, known.durationMs) ?? rate,
  };
}

export function toBatchDetail(row: BatchRowWithSources): BatchDetail {
  return { ...toBatch(row), sources: (row.sources as BatchSource[] | null) ?? [] };
}

/** Over the time in which it was worked on, without waiting for the epoch before. */
function processedPerSecond(records: number, durationMs: Batch["durationMs"]): number | undefined {
  const { read = 0, sink = 0, commit = 0 } = durationMs;
  const ms = read + sink + commit;
  return ms > 0 ? (records * 1_000) / ms : undefined;
}

function toSource({ description, startOffset, endOffset }: CommitReport["sources"][number]): BatchSource {
  const paths = Object.keys(endOffset).filter((path) => endOffset[path] !== startOffset[path]);
  const files = paths.slice(0, FILES_MAX).map((path) => ({
    path,
    startOffset: startOffset[path] ?? 0,
    endOffset: endOffset[path]!,
  }));
  return { description, files };
}

function rounded(durationMs: CommitReport["durationMs"]): Record<string, number> {
  return Object.fromEntries(
    Object.entries(durationMs).map(([phase, ms]) => [phase, Math.round(ms * 100) / 100]),
  );
}
