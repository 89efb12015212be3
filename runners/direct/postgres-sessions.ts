/** A pipeline's sessions with PostgreSQL, one after the other, until it ends. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { migrate } from "../../sql/migrate.js";
import type { PipelineKey } from "../../sql/pipelines.js";
import { refusePooler } from "../../sql/pooler.js";
import { hasRanges } from "../../sql/read-ranges.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import { backoffMs, classify, sqlStateOf } from "../../sql/sql-state.js";
import { readStateShape, writeStateShape } from "../../sql/state-chunks.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";
import { StateOfOthersError } from "../engine/durable/restored-state.js";
import { refuseOtherShape, type StateShape } from "../graph/state-shape.js";
import type { JobEvent } from "../job/job.js";
import type { LocalStoreOptions } from "../job/runner.js";
import { startRun } from "../run/run-start.js";
import { StateNotDurableError } from "./kept-state.js";
import { loadWithStore } from "./local-store/load-state.js";
import type { Run } from "./postgres-epoch.js";
import type { LoadedState } from "./state-storage.js";
import { StoredState } from "./stored-state.js";

const APPLICATION_NAME = "millrace/pipeline";
/** More sessions of one process than these no standby is behind. */
const RUN_IDS_KEPT = 1_000;

/** The pipeline must be finished where it was begun. */
export class UnfinishedRunError extends Error {
  override readonly name = "UnfinishedRunError";
  readonly code = "MILLRACE_UNFINISHED_RUN";
}

export interface SessionsOptions {
  readonly pipeline: string;
  readonly connection: ConnectionConfig;
  readonly once: boolean;
  readonly takeover: boolean;
  readonly retryTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly drain: AbortSignal;
  readonly cancel: AbortSignal;
  /** Steps that keep what rows and positions do not tell: with them, the state is committed too. */
  readonly stepsWithState: readonly string[];
  /** How their state is written. */
  readonly stateShape: StateShape;
  /** Undefined: all of the state is in memory. */
  readonly localStore: LocalStoreOptions | undefined;
  /**
   * Runs the pipeline to its end; `side` is a second session, for statements outside of epochs. `state` is where it
   * begins and where it goes, if there is any to be committed.
   */
  readonly runIn: (run: Run, side: SqlSession, state: LoadedState | undefined) => Promise<void>;
  readonly onRetry: (event: JobEvent & { type: "retry" }) => void;
}

/**
 * Each attempt opens a session, locks the pipeline, takes a new run and starts from what is
 * committed: recovery from a lost connection is the same path as the start after a crash.
 */
export class PostgresSessions {
  readonly #options: SessionsOptions;
  /**
   * The run that this job came after, and those that it has taken, or may have. A reconnect goes on from the last of
   * them; from an earlier one where the database has lost what came later. Any of them tells that nobody else has come
   * in between, as far as the database knows.
   */
  #runIds: string[] = [];
  /** The last one, as its commits have left it. */
  #run: Run | undefined;
  #hasStarted = false;
  /** Server processes of sessions that may still hold the pipeline's lock. */
  readonly #backendPids = new Set<number>();
  /** Failed attempts since the last commit. */
  #attempts = 0;
  #firstFailureMs = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Resolves when the pipeline has come to its end. @throws what no retry can cure */
  async run(): Promise<void> {
    while (!(await this.#attempt())) {}
  }

  /** A commit: what failed before it does not count any more. */
  committed(): void {
    this.#attempts = 0;
  }

  /** One session. True: the job has come to its end; false: try again. @throws what no retry can cure. */
  async #attempt(): Promise<boolean> {
    let session: SqlSession | undefined;
    const close = () => void session?.close();
    const { cancel, drain } = this.#options;
    try {
      session = await this.#connect();
      cancel.addEventListener("abort", close);
      await this.#runSession(session);
      return true;
    } catch (error) {
      if (cancel.aborted) return true;
      await this.#waitAfter(error);
      return drain.aborted;
    } finally {
      cancel.removeEventListener("abort", close);
      await session?.close();
    }
  }

  #connect(): Promise<SqlSession> {
    return SqlSession.connect({ connection: this.#options.connection, applicationName: APPLICATION_NAME });
  }

  async #runSession(session: SqlSession): Promise<void> {
    const { pipeline, clock, log, takeover, cancel } = this.#options;
    await refusePooler(session, () => this.#connect());
    await migrate(session, log);
    const ownBackendPids = new Set(this.#backendPids);
    this.#backendPids.add(session.backendPid);
    const after = this.#hasStarted ? [...this.#runIds] : undefined;
    const runId = randomUUID();
    this.#runIds.push(runId);
    const run = await startRun(session, runId, {
      key: { pipeline, shard: 0 },
      takeover: takeover && !this.#hasStarted,
      after,
      ownBackendPids,
      clock,
      log,
      signal: cancel,
    });
    if (!this.#hasStarted && run.earlierRunId !== undefined) this.#runIds.unshift(run.earlierRunId);
    this.#hasStarted = true;
    this.#runIds = this.#runIds.slice(-RUN_IDS_KEPT);
    const lost = lostEpochs(this.#run, run);
    if (lost !== undefined) log.warn(lost);
    this.#run = run;
    await refuseUnfinished(session, pipeline);
    for (const pid of ownBackendPids) this.#backendPids.delete(pid);
    const state = await this.#loadState(run);
    log.debug("run started", { runId: run.runId, epoch: run.epoch, host: hostname() });
    const side = await this.#connect();
    try {
      await this.#options.runIn(run, side, state);
      await state?.storage.finish();
    } finally {
      await state?.storage.close();
      await side.close();
    }
  }

  /**
   * @throws StateShapeError when what is stored is written in another way than the graph's;
   * StateNotDurableError when there is none, but epochs were committed: positions would be ahead of it;
   * StateOfOthersError when there is some, but no step that keeps any
   */
  async #loadState({ session, key, epoch }: Run): Promise<LoadedState | undefined> {
    const { pipeline, stepsWithState, stateShape, localStore: store, log } = this.#options;
    const keepsState = stepsWithState.length > 0;
    const state =
      keepsState && store !== undefined
        ? await loadWithStore({ queries: session, key, epoch, store, log })
        : await StoredState.load(session, key);
    try {
      if (keepsState && epoch > 0 && state.first === undefined)
        throw new StateNotDurableError(pipeline, epoch, stepsWithState);
      if (!keepsState && state.first !== undefined)
        throw new StateOfOthersError(state.first.kind, state.first.owner);
      if (keepsState) await takeShape(session, key, stateShape);
    } catch (error) {
      await state.storage.close();
      throw error;
    }
    return keepsState ? state : undefined;
  }

  /** Waits before the next attempt. @throws the error itself when there shall be none. */
  async #waitAfter(error: unknown): Promise<void> {
    if (classify(error) !== "retry") throw error;
    const { clock, once, retryTimeoutMs, log } = this.#options;
    if (this.#attempts === 0) this.#firstFailureMs = clock.monotonicMs();
    if (once && clock.monotonicMs() - this.#firstFailureMs >= retryTimeoutMs) throw error;
    this.#attempts += 1;
    const delayMs = backoffMs(this.#attempts, Math.random);
    const reason = error instanceof Error ? error.message : String(error);
    log.debug("starting a new session", { reason, attempt: this.#attempts, delayMs });
    const code = sqlStateOf(error) ?? null;
    this.#options.onRetry({ type: "retry", reason, code, attempt: this.#attempts, delayMs });
    await this.#sleep(delayMs);
  }

  async #sleep(delayMs: number): Promise<void> {
    const stop = new AbortController();
    const wakeUp = () => stop.abort();
    const signals = [this.#options.cancel, this.#options.drain];
    for (const signal of signals) signal.addEventListener("abort", wakeUp);
    if (signals.some((signal) => signal.aborted)) wakeUp();
    await this.#options.clock.sleep(delayMs, stop.signal);
    for (const signal of signals) signal.removeEventListener("abort", wakeUp);
  }
}

/** What the database has lost of what the run before had committed, as a failover to a standby that was behind does. */
function lostEpochs(before: Run | undefined, { key, epoch }: Run): string | undefined {
  if (before === undefined || epoch >= before.epoch) return undefined;
  const [first, last] = [epoch + 1, before.epoch];
  const lost = first === last ? `${first} is` : `${first} to ${last} are`;
  return (
    `pipeline "${key.pipeline}": the database is at epoch ${epoch}, this run had committed ${last}: ` +
    `${lost} lost and read again`
  );
}

/** What is stored from now on is written as this graph writes it. @throws StateShapeError */
async function takeShape(session: SqlSession, key: PipelineKey, shape: StateShape): Promise<void> {
  const stored = await readStateShape(session, key);
  refuseOtherShape(key.pipeline, (stored as StateShape | null) ?? undefined, shape);
  await writeStateShape(session, key, shape);
}

/**
 * A run on a job server that has not come to its end: its workers have written rows and dead letters behind positions
 * that have not moved, which only another run there takes for its own.
 */
async function refuseUnfinished(session: SqlSession, pipeline: string): Promise<void> {
  if (!(await hasRanges(session, pipeline))) return;
  throw new UnfinishedRunError(
    `pipeline "${pipeline}" has a run on a job server that has not come to its end: finish it there first, e.g. with ` +
      "--runner=prism --once; it reads again what was not finished, and counts each record once",
  );
}
