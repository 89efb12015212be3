/** The session by which the client of a job server holds its pipeline, opened anew when it breaks. */
import { randomUUID } from "node:crypto";
import { sumLedger } from "../../../sql/ledger.js";
import { migrate } from "../../../sql/migrate.js";
import { committedEpoch, JOB_SERVER_CLIENT, type PipelineKey } from "../../../sql/pipelines.js";
import { refusePooler } from "../../../sql/pooler.js";
import { type ConnectionConfig, SqlSession } from "../../../sql/sql-session.js";
import { backoffMs, classify, sqlStateOf } from "../../../sql/sql-state.js";
import type { Clock, Log } from "../../../transforms/primitives/do-fn.js";
import type { JobEvent } from "../../job/job.js";
import { beginRun, FencedError, lockPipeline, type StartedRun } from "../../run/run-start.js";

export interface ClientSessionOptions {
  readonly pipeline: string;
  readonly connection: ConnectionConfig;
  readonly takeover: boolean;
  /** How long a database may be away. */
  readonly retryTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onRetry: (event: JobEvent & { type: "retry" }) => void;
}

/** The workers of a run go on while its client has lost the database: so it comes back to the same run. */
export class ClientSession {
  readonly #options: ClientSessionOptions;
  readonly #backendPids = new Set<number>();
  #run!: StartedRun;
  #earlierRunId: string | undefined;
  /** A run that was asked for; whether it was taken is not known when the answer was lost. */
  #next: string | undefined;

  private constructor(options: ClientSessionOptions) {
    this.#options = options;
  }

  /** Locks the pipeline and takes a new run of it. @throws PipelineLockedError, or what the database has against it */
  static async start(options: ClientSessionOptions): Promise<ClientSession> {
    const client = new ClientSession(options);
    const session = await client.#connect();
    try {
      await refusePooler(session, () => client.#connect());
      await migrate(session, options.log);
      const lock = { ...client.#lockOptions(), takeover: options.takeover, after: undefined };
      await lockPipeline(session, lock);
      client.#run = await beginRun(session, randomUUID(), lock);
      client.#earlierRunId = client.#run.earlierRunId;
    } catch (error) {
      await session.close();
      throw error;
    }
    return client;
  }

  get run(): StartedRun {
    return this.#run;
  }

  /** The run before this one, of which something may be left on a job server. */
  get earlierRunId(): string | undefined {
    return this.#earlierRunId;
  }

  /**
   * Runs `work`, again in a new session when the database was away meanwhile: it must find what it has done already.
   * @throws FencedError when another run has come in between; whatever no retry can cure
   */
  async use<T>(work: (run: StartedRun) => Promise<T>): Promise<T> {
    const { clock, retryTimeoutMs, signal } = this.#options;
    const firstAtMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.#run.session.broken !== undefined) await this.#reconnect();
        return await work(this.#run);
      } catch (error) {
        const isLate = clock.monotonicMs() - firstAtMs >= retryTimeoutMs;
        if (classify(error) !== "retry" || isLate || signal.aborted) throw error;
        const delayMs = backoffMs(attempt, Math.random);
        const reason = error instanceof Error ? error.message : String(error);
        this.#options.onRetry({ type: "retry", reason, code: sqlStateOf(error) ?? null, attempt, delayMs });
        await clock.sleep(delayMs, signal);
      }
    }
  }

  /** Takes a new run without letting go of the pipeline: what the earlier one's workers still have in hand fails. */
  async renew(): Promise<void> {
    const next = randomUUID();
    this.#next = next;
    await this.use(async ({ key, runId, session }) => {
      try {
        this.#run = await beginRun(session, next, { key, after: [runId, next] });
        this.#earlierRunId = runId;
      } catch (error) {
        if (session.broken === undefined) await session.execute("rollback");
        throw error;
      }
    });
    this.#next = undefined;
  }

  async close(): Promise<void> {
    await this.#run.session.close();
  }

  async #reconnect(): Promise<void> {
    const { key, runId } = this.#run;
    const session = await this.#connect();
    try {
      const own = [runId, ...(this.#next === undefined ? [] : [this.#next])];
      await lockPipeline(session, { ...this.#lockOptions(), takeover: false, after: own });
      const epoch = await committedEpochOf(session, key, own);
      if (epoch === undefined) throw FencedError.of(this.#run);
      await this.#run.session.close();
      // a commit whose answer was lost has moved both on
      const totals = epoch === this.#run.epoch ? this.#run.totals : await sumLedger(session, key.pipeline);
      this.#run = { ...this.#run, session, epoch, totals };
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async #connect(): Promise<SqlSession> {
    const { connection } = this.#options;
    const session = await SqlSession.connect({ connection, applicationName: JOB_SERVER_CLIENT });
    this.#backendPids.add(session.backendPid);
    return session;
  }

  #lockOptions() {
    const { pipeline, clock, log, signal } = this.#options;
    return { key: { pipeline, shard: 0 }, ownBackendPids: this.#backendPids, clock, log, signal };
  }
}

/** Of whichever of the runs has the pipeline. */
async function committedEpochOf(
  session: SqlSession,
  key: PipelineKey,
  runIds: readonly string[],
): Promise<number | undefined> {
  for (const runId of runIds) {
    const epoch = await committedEpoch(session, key, runId);
    if (epoch !== undefined) return epoch;
  }
  return undefined;
}
