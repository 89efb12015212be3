/** Flink's view of checkpoints, of a job whose checkpoint is the commit of an epoch; pure. */
import type { SavepointRow } from "../../sql/savepoints.js";
import type { Batch, Checkpoint, Checkpoints } from "../job/job-view.js";

export interface CheckpointFacts {
  /** Epochs committed since the pipeline's first. */
  readonly completed: number;
  /** The epoch from which this run started. */
  readonly restoredAt: number | undefined;
  /** The newest first. */
  readonly savepoints: readonly SavepointRow[];
  readonly failures: readonly { readonly reason: string; readonly atMs: number }[];
  /** Attempts of this run that failed. */
  readonly failed: number;
  readonly startedAtMs: number;
  readonly runner: string;
}

/** @param batches the latest commits, the newest first */
export function checkpointsOf(batches: readonly Batch[], facts: CheckpointFacts): Checkpoints {
  const { completed, failed, failures, restoredAt, startedAtMs } = facts;
  const done = batches.map(completedCheckpoint);
  const savepoints = facts.savepoints.map(savepointCheckpoint);
  const lost = failures.map(({ reason, atMs }, at) => failedCheckpoint(`failed-${at + 1}`, atMs, reason));
  const durations = done.map(({ durationMs }) => durationMs!);
  const sizes = done.flatMap(({ sizeBytes }) => sizeBytes ?? []);
  return {
    overview: {
      ...{ completed, failed, triggered: completed + failed, inProgress: 0 },
      restored: restoredAt === undefined ? 0 : 1,
    },
    latest: {
      completed: done[0] ?? null,
      failed: lost.at(-1) ?? null,
      savepoint: savepoints[0] ?? null,
      restored: restoredAt === undefined ? null : restoredCheckpoint(restoredAt, startedAtMs),
    },
    history: [...done, ...savepoints, ...lost].sort((a, b) => b.triggeredAtMs - a.triggeredAtMs),
    summary: { durationMs: summaryOf(durations), sizeBytes: summaryOf(sizes) },
    configuration: [
      { name: "mode", value: "exactly once" },
      { name: "checkpoint", value: "the commit of an epoch: rows, positions and counts in one transaction" },
      { name: "interval", value: facts.runner === "direct" ? "whenever records were read" : "1 s" },
      { name: "storage", value: "PostgreSQL" },
      {
        name: "size",
        value:
          facts.runner === "direct"
            ? "what is sent to PostgreSQL in its transaction"
            : "not known: the job server's workers write in sessions of their own",
      },
    ],
  };
}

function completedCheckpoint({ epoch, startedAtMs, committedAtMs, sentBytes = null }: Batch): Checkpoint {
  return {
    ...{ id: String(epoch), kind: "epoch", status: "completed", triggeredAtMs: startedAtMs },
    ...{ durationMs: committedAtMs - startedAtMs, sizeBytes: sentBytes, message: null },
  };
}

function savepointCheckpoint({ name, epoch, created_ms, state_bytes }: SavepointRow): Checkpoint {
  return {
    ...{ id: name, kind: "savepoint", status: "completed", triggeredAtMs: created_ms, durationMs: null },
    ...{ sizeBytes: state_bytes, message: `after epoch ${epoch}` },
  };
}

function failedCheckpoint(id: string, triggeredAtMs: number, message: string): Checkpoint {
  return { id, kind: "epoch", status: "failed", triggeredAtMs, durationMs: null, sizeBytes: null, message };
}

function restoredCheckpoint(epoch: number, triggeredAtMs: number): Checkpoint {
  const rest = { durationMs: null, sizeBytes: null, message: null };
  return { id: String(epoch), kind: "epoch", status: "restored", triggeredAtMs, ...rest };
}

function summaryOf(values: readonly number[]): { min: number; mean: number; max: number } | null {
  if (values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { min: Math.min(...values), mean, max: Math.max(...values) };
}
