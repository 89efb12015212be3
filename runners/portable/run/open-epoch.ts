/** The open epoch of a run on a job server: its workers write into it, its client closes it. */
import { insertCommit, pruneCommits } from "../../../sql/commits.js";
import { settleDuplicates, sumLedger } from "../../../sql/ledger.js";
import { advanceEpoch, holdEpoch, shutEpoch } from "../../../sql/pipelines.js";
import { sqlStateOf } from "../../../sql/sql-state.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import { failpoint } from "../../../transforms/primitives/failpoint.js";
import type { RecordCounts } from "../../job/job.js";
import { FencedError, type StartedRun } from "../../run/run-start.js";

/** How many rows `commits` keeps for a pipeline; older ones are removed now and then. */
const COMMITS_KEPT = 10_000;
const PRUNE_EVERY_EPOCHS = 1_000;
/** How long workers are kept waiting for a slow one, so that an epoch may end between two bundles. */
const WAIT_MS_MAX = 250;
const LOCK_NOT_AVAILABLE = "55P03";

/** Moves positions on in the epoch's transaction; see `RunClient.settle`. */
export type Settle = (transaction: EpochTransaction, isEnd: boolean) => Promise<readonly number[]>;

export interface ClosedEpoch {
  readonly epoch: number;
  readonly counts: RecordCounts;
  readonly waitMs: number;
  readonly commitMs: number;
}

/**
 * Closes the epoch if anything was written in it, and moves the run on to the next. At the run's end it waits for the
 * workers however long they take; before, not longer than they can be kept waiting, and undefined says: not now.
 * @throws FencedError when another run has taken over
 */
export async function closeEpoch(
  run: StartedRun,
  options: { readonly isEnd: boolean; readonly settle: Settle; readonly monotonicMs: () => number },
): Promise<ClosedEpoch | undefined> {
  const { session } = run;
  await session.begin();
  try {
    const closed = await close(run, options);
    if (closed === undefined) await session.execute("rollback");
    return closed;
  } catch (error) {
    if (session.broken !== undefined) throw error;
    await session.execute("rollback");
    if (!options.isEnd && sqlStateOf(error) === LOCK_NOT_AVAILABLE) return undefined;
    throw error;
  }
}

async function close(
  run: StartedRun,
  { isEnd, settle, monotonicMs }: Parameters<typeof closeEpoch>[1],
): Promise<ClosedEpoch | undefined> {
  const { session, key, runId, epoch } = run;
  const askedAtMs = monotonicMs();
  if (!isEnd) await session.execute(`set local lock_timeout = ${WAIT_MS_MAX}`);
  await shutEpoch(session, key);
  await session.execute("set local lock_timeout = default");
  if (!(await holdEpoch(session, key, { runId, epoch }))) throw FencedError.of(run);
  const shutAtMs = monotonicMs();
  const transaction: EpochTransaction = {
    epoch: epoch + 1,
    runId,
    query: (text, values) => session.query(text, values),
    execute: (text, values) => session.execute(text, values),
    copy: (statement, chunks) => session.copy(statement, chunks),
  };
  const settled = await settle(transaction, isEnd);
  if (settled.length > 0) await settleDuplicates(transaction, key.pipeline, settled);
  const totals = await sumLedger(transaction, key.pipeline);
  const counts = subtract(totals, run.totals);
  if (isNothing(counts) && !isEnd) return undefined;
  await insertCommit(transaction, {
    ...counts,
    deadLetters: sum(counts.deadLetters),
    ...key,
    epoch: transaction.epoch,
    runId,
  });
  if (transaction.epoch % PRUNE_EVERY_EPOCHS === 0)
    await pruneCommits(transaction, key.pipeline, key.shard, COMMITS_KEPT);
  const { watermarkMs } = run;
  if (!(await advanceEpoch(transaction, key, { runId, epoch }, { totals, watermarkMs })))
    throw FencedError.of(run);
  failpoint("before-commit");
  const readyAtMs = monotonicMs();
  await session.commit();
  failpoint("after-commit");
  run.epoch = transaction.epoch;
  run.totals = totals;
  return {
    epoch: transaction.epoch,
    counts,
    waitMs: shutAtMs - askedAtMs,
    commitMs: monotonicMs() - readyAtMs,
  };
}

function subtract(a: RecordCounts, b: RecordCounts): RecordCounts {
  const deadLetters: Record<string, number> = {};
  for (const [reason, count] of Object.entries(a.deadLetters)) {
    const more = count - (b.deadLetters[reason] ?? 0);
    if (more !== 0) deadLetters[reason] = more;
  }
  return {
    recordsRead: a.recordsRead - b.recordsRead,
    eventsWritten: a.eventsWritten - b.eventsWritten,
    duplicates: a.duplicates - b.duplicates,
    conflicts: a.conflicts - b.conflicts,
    deadLetters,
  };
}

function isNothing({ deadLetters, ...counts }: RecordCounts): boolean {
  return Object.values(counts).every((count) => count === 0) && sum(deadLetters) === 0;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
