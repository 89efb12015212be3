/** Progress for programs: one JSON object a commit, and a last one with `"event":"end"`. */
import type { CommitReport, RecordCounts } from "../../runners/job/job.js";
import { redact } from "../../sql/redact.js";
import { formatInstant } from "./format-quantity.js";
import type { Reporter } from "./reporter.js";

/** `write` takes a line without its newline. Names are those of `status --json`. */
export function createJsonReporter(pipeline: string, write: (line: string) => void): Reporter {
  return {
    commit: (commit) => write(JSON.stringify(describeCommit(commit))),
    end({ state, exitCode, problem }, totals) {
      const error = problem === undefined ? null : redact(problem);
      write(
        JSON.stringify({
          event: "end",
          pipeline,
          state,
          exit_code: exitCode,
          error,
          ...countsAsJson(totals),
        }),
      );
    },
  };
}

/** Counts under the names of `status --json`. */
export function countsAsJson(counts: RecordCounts) {
  return {
    records_read: counts.recordsRead,
    events_written: counts.eventsWritten,
    duplicates: counts.duplicates,
    conflicts: counts.conflicts,
    dead_letters: counts.deadLetters,
  };
}

function describeCommit(commit: CommitReport) {
  return {
    event: "commit",
    pipeline: commit.pipeline,
    run_id: commit.runId,
    epoch: commit.epoch,
    committed_at: formatInstant(commit.committedAtMs),
    ...countsAsJson(commit.counts),
    totals: countsAsJson(commit.totals),
    duration_ms: commit.durationMs,
    watermark: commit.watermarkMs === null ? null : formatInstant(commit.watermarkMs),
    backlog_files: commit.sources.reduce((sum, source) => sum + source.backlogFiles, 0),
    backlog_bytes: commit.sources.reduce((sum, source) => sum + source.backlogBytes, 0),
  };
}
