/** A pipeline running on the direct runner: sessions with the database, one after the other, until it ends. */
import { hostname } from "node:os";
import { migrate } from "../../sql/migrate.js";
import { refusePooler } from "../../sql/pooler.js";
import { SqlSession } from "../../sql/sql-session.js";
import { backoffMs, classify, sqlStateOf } from "../../sql/sql-state.js";
import type { SetupContext } from "../../transforms/primitives/do-fn.js";
import type { BundleHost } from "../bundle/host.js";
import type { Plan } from "../graph/translate.js";
import type { Job, JobEvent, JobState, RecordCounts, SourceProgress } from "../job/job.js";
import type { RunnerOptions } from "../job/runner.js";
import { NO_COUNTS } from "./bundle-ledger.js";
import type { Run } from "./epoch.js";
import { EpochLoop, type EpochReport } from "./epoch-loop.js";
import { startRun } from "./run-start.js";

const APPLICATION_NAME = "millrace/pipeline";

/** Records that the sources emit into one epoch at the most: enough for COPY's speed, little to lose. */
const BUNDLE_RECORDS_MAX = 20_000;

/**
 * Each attempt opens a session, locks the pipeline, takes a new run and starts from what is
 * committed: recovery from a lost connection is the same path as the start after a crash.
 */
export class DirectJob implements Job {
  readonly pipeline: string;
  readonly #plan: Plan;
  readonly #options: RunnerOptions;
  readonly #listeners = new Set<(event: JobEvent) => void>();
  readonly #drain = new AbortController();
  readonly #cancel = new AbortController();
  readonly #end: Promise<JobState>;
  #state: JobState = "STARTING";
  #failure: Error | undefined;
  #totals: RecordCounts = NO_COUNTS;
  #loop: EpochLoop | undefined;
  /** The run that this job held last: only from it may a reconnect go on. */
  #lastRunId: string | undefined;
  /** Server processes of sessions that may still hold the pipeline's lock. */
  readonly #backendPids = new Set<number>();
  /** Failed attempts since the last commit. */
  #attempts = 0;
  #firstFailureMs = 0;

  constructor(plan: Plan, options: RunnerOptions) {
    this.pipeline = options.pipeline;
    this.#plan = plan;
    this.#options = options;
    // One turn later, so that whoever starts the job can subscribe to its first event.
    this.#end = Promise.resolve().then(() => this.#run());
  }

  get state(): JobState {
    return this.#state;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get totals(): RecordCounts {
    return this.#totals;
  }

  get sources(): readonly SourceProgress[] {
    return this.#loop?.progress() ?? [];
  }

  subscribe(listener: (event: JobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  drain(): Promise<JobState> {
    if (this.#state === "STARTING" || this.#state === "RUNNING") this.#enter("DRAINING");
    this.#drain.abort();
    return this.#end;
  }

  cancel(): Promise<JobState> {
    if (!isEnd(this.#state)) this.#enter("CANCELLING");
    this.#cancel.abort(new Error("the job was cancelled"));
    return this.#end;
  }

  waitUntilFinish(): Promise<JobState> {
    return this.#end;
  }

  async #run(): Promise<JobState> {
    try {
      while (!(await this.#attempt())) {}
      this.#enter(
        this.#cancel.signal.aborted ? "CANCELLED" : this.#drain.signal.aborted ? "DRAINED" : "DONE",
      );
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#enter("FAILED");
    }
    return this.#state;
  }

  /** One session. True: the job has come to its end; false: try again. @throws what no retry can cure. */
  async #attempt(): Promise<boolean> {
    let session: SqlSession | undefined;
    const close = () => void session?.close();
    const { signal } = this.#cancel;
    try {
      session = await this.#connect();
      signal.addEventListener("abort", close);
      await this.#runSession(session);
      return true;
    } catch (error) {
      if (signal.aborted) return true;
      await this.#waitAfter(error);
      return this.#drain.signal.aborted;
    } finally {
      signal.removeEventListener("abort", close);
      await session?.close();
    }
  }

  #connect(): Promise<SqlSession> {
    return SqlSession.connect({ connection: this.#options.connection, applicationName: APPLICATION_NAME });
  }

  async #runSession(session: SqlSession): Promise<void> {
    const { clock, log, takeover } = this.#options;
    const { signal } = this.#cancel;
    await refusePooler(session, () => this.#connect());
    await migrate(session, log);
    const key = { pipeline: this.pipeline, shard: 0 };
    const first = this.#lastRunId === undefined;
    const ownBackendPids = new Set(this.#backendPids);
    this.#backendPids.add(session.backendPid);
    const run = await startRun(session, {
      key,
      takeover: takeover && first,
      after: this.#lastRunId,
      ownBackendPids,
      clock,
      log,
      signal,
    });
    this.#lastRunId = run.runId;
    for (const pid of ownBackendPids) this.#backendPids.delete(pid);
    this.#totals = run.totals;
    if (this.#state === "STARTING") this.#enter("RUNNING");
    log.debug("run started", { runId: run.runId, epoch: run.epoch, host: hostname() });
    const side = await this.#connect();
    try {
      await this.#runLoop(run, side);
    } finally {
      await side.close();
    }
  }

  async #runLoop(run: Run, side: SqlSession): Promise<void> {
    const { clock, log } = this.#options;
    const loop = new EpochLoop({
      plan: this.#plan,
      host: this.#host(side),
      run,
      clock,
      bundleRecordsMax: this.#options.bundleRecordsMax ?? BUNDLE_RECORDS_MAX,
      drain: this.#drain.signal,
      cancel: this.#cancel.signal,
      onCommit: (report) => this.#committed(run, report),
    });
    this.#loop = loop;
    try {
      await loop.run();
    } catch (error) {
      // The connection goes first: what is still in flight then fails at once and can be waited for.
      await run.session.close();
      throw error;
    } finally {
      for (const error of await loop.teardown())
        log.warn("a step's teardown failed", { error: String(error) });
      this.#loop = undefined;
    }
  }

  #host(side: SqlSession): BundleHost {
    const { clock, log, once } = this.#options;
    const shared = new Map<string, unknown>();
    const base = {
      pipeline: this.pipeline,
      mode: once ? ("available-now" as const) : ("stream" as const),
      signal: this.#cancel.signal,
      clock,
      log,
      database: side,
    };
    return {
      setupContext: (step): SetupContext => ({
        ...base,
        step,
        shared: <T>(name: string, create: () => T): T => {
          const key = `${step}\0${name}`;
          if (!shared.has(key)) shared.set(key, create());
          return shared.get(key) as T;
        },
      }),
      emit: (collection) => {
        throw new Error(
          `PCollection "${collection}" is read by another stage, which this runner has no way to feed`,
        );
      },
    };
  }

  #committed(run: Run, report: EpochReport): void {
    this.#attempts = 0;
    this.#totals = run.totals;
    const { readMs, durationMs, ...rest } = report;
    this.#tell({
      type: "commit",
      commit: {
        ...rest,
        durationMs: { read: readMs, ...durationMs },
        pipeline: this.pipeline,
        runId: run.runId,
        totals: run.totals,
        watermarkMs: run.watermarkMs,
      },
    });
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
    this.#tell({ type: "retry", reason, code: sqlStateOf(error) ?? null, attempt: this.#attempts, delayMs });
    await this.#sleep(delayMs);
  }

  async #sleep(delayMs: number): Promise<void> {
    const stop = new AbortController();
    const wakeUp = () => stop.abort();
    const signals = [this.#cancel.signal, this.#drain.signal];
    for (const signal of signals) signal.addEventListener("abort", wakeUp);
    if (signals.some((signal) => signal.aborted)) wakeUp();
    await this.#options.clock.sleep(delayMs, stop.signal);
    for (const signal of signals) signal.removeEventListener("abort", wakeUp);
  }

  #enter(state: JobState): void {
    this.#state = state;
    this.#tell({ type: "state", state });
  }

  #tell(event: JobEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function isEnd(state: JobState): boolean {
  return state === "DONE" || state === "DRAINED" || state === "CANCELLED" || state === "FAILED";
}
