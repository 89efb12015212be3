/** Becoming the one runner of a pipeline: the lock, whoever holds it, and the new run. */
import { hostname } from "node:os";
import type { RecordCounts } from "../../sql/ledger.js";
import {
  type Holder,
  isRun,
  type LockHolder,
  lastRunId,
  type PipelineKey,
  readLockHolder,
  shutEpoch,
  takeRun,
  terminateBackend,
  tryLockPipeline,
} from "../../sql/pipelines.js";
import type { SqlSession } from "../../sql/sql-session.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";
import { describeHolder, isAlive, self } from "./process-holder.js";

/** How long a starting runner waits for the one before it to leave. */
export const LOCK_WAIT_MS = 15_000;
export const LOCK_POLL_MS = 100;

/** Another run has taken the pipeline over: this one must stop, nothing of it will ever commit. */
export class FencedError extends Error {
  override readonly name = "FencedError";
  readonly code = "MILLRACE_FENCED";

  /** The run is not where it left the pipeline. */
  static of({ key, runId, epoch }: Pick<StartedRun, "key" | "runId" | "epoch">): FencedError {
    return new FencedError(
      `pipeline "${key.pipeline}" was taken over: its run is no longer ${runId} at epoch ${epoch}`,
    );
  }
}

/** A run of a pipeline that this process holds, and what it starts from. */
export interface StartedRun {
  readonly key: PipelineKey;
  readonly runId: string;
  readonly holder: Holder;
  /** Holds the pipeline's lock. */
  readonly session: SqlSession;
  /** The run before it; undefined when it is the pipeline's first. */
  readonly earlierRunId: string | undefined;
  /** Last committed epoch. */
  epoch: number;
  totals: RecordCounts;
  watermarkMs: number | null;
}

/** Somebody else runs the pipeline. */
export class PipelineLockedError extends Error {
  override readonly name = "PipelineLockedError";
  readonly code = "MILLRACE_LOCKED";
}

export interface StartOptions {
  readonly key: PipelineKey;
  readonly takeover: boolean;
  /**
   * The runs from which this process may go on after its connection broke: those that it has taken, or may have,
   * because the answer was lost, and the one before them. Undefined at the first start.
   */
  readonly after: readonly string[] | undefined;
  /** Server processes of this process's earlier sessions: one of them may hold the lock still. */
  readonly ownBackendPids: ReadonlySet<number>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Locks the pipeline on this session and takes the run `runId` of it.
 * @throws PipelineLockedError naming the holder, when it does not leave within 15 s.
 * @throws FencedError when another run came in between since `after`.
 */
export async function startRun(
  session: SqlSession,
  runId: string,
  options: StartOptions,
): Promise<StartedRun> {
  await lockPipeline(session, options);
  return beginRun(session, runId, options);
}

/**
 * Takes the run `runId` of a pipeline that this session has locked.
 * @throws FencedError when another run came in between since `after`.
 */
export async function beginRun(
  session: SqlSession,
  runId: string,
  { key, after }: Pick<StartOptions, "key" | "after">,
): Promise<StartedRun> {
  const holder = self();
  await session.begin();
  // workers of an earlier run on a job server are part of it: what they have in hand is committed first
  await shutEpoch(session, key);
  const earlierRunId = await lastRunId(session, key);
  const start = await takeRun(session, key, { runId, holder, after });
  await session.commit();
  if (start === undefined) throw takenOver(key);
  return { key, runId, holder, session, earlierRunId, ...start };
}

/**
 * Locks the pipeline on this session, as its only runner.
 * @throws PipelineLockedError; FencedError
 */
export async function lockPipeline(session: SqlSession, options: StartOptions): Promise<void> {
  const { key, after, clock, log, signal } = options;
  const deadlineMs = clock.monotonicMs() + LOCK_WAIT_MS;
  let told = false;
  while (!(await tryLockPipeline(session, key))) {
    signal.throwIfAborted();
    if (after !== undefined && !(await isRun(session, key, after))) throw takenOver(key);
    const found = await readLockHolder(session, key);
    const reason = found && whyToTerminate(found, options);
    if (found !== undefined && reason !== undefined) {
      log.warn(`terminating the session that holds pipeline "${key.pipeline}": ${reason}`, {
        holder: describe(found),
      });
      await terminateBackend(session, found.backendPid);
    } else if (found !== undefined && !told) {
      log.info(`waiting for pipeline "${key.pipeline}", held by ${describe(found)}`);
      told = true;
    }
    if (clock.monotonicMs() >= deadlineMs) {
      throw new PipelineLockedError(
        `pipeline "${key.pipeline}" is run by ${found ? describe(found) : "another session"}; ` +
          `waited ${LOCK_WAIT_MS / 1000} s. Stop it, or start with --takeover`,
      );
    }
    await clock.sleep(LOCK_POLL_MS, signal);
  }
}

function takenOver({ pipeline }: PipelineKey): FencedError {
  return new FencedError(`pipeline "${pipeline}" was taken over while the connection was away`);
}

/** Why a holder may be put out: asked to, it is our own broken connection, or its process is dead. */
function whyToTerminate(
  { holder, backendPid }: LockHolder,
  { takeover, after, ownBackendPids }: StartOptions,
): string | undefined {
  if (takeover) return "--takeover";
  const isOurs = after !== undefined && holder?.host === hostname() && holder.pid === process.pid;
  if (isOurs || ownBackendPids.has(backendPid)) return "it is this process's own broken connection";
  if (holder === undefined || holder.host !== hostname()) return undefined;
  return isAlive(holder) ? undefined : `its process ${holder.pid} on this host is dead`;
}

function describe({ holder, backendPid, backendStart, clientAddress }: LockHolder): string {
  const backend = `server process ${backendPid} since ${backendStart}`;
  if (holder === undefined) return `${clientAddress ?? "a local client"} (${backend})`;
  return `${describeHolder(holder)} (${backend})`;
}
