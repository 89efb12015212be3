/** The replay of a run: what its epochs log for other databases, how much may wait, and what is removed again. */
import { holdEpoch } from "../../../sql/pipelines.js";
import { type SinkDatabase, type SinkDatabases, sinkVariable } from "../../../sql/sink-databases.js";
import {
  type LoggedBytes,
  readLogged,
  readLoggedIn,
  removeConfirmed,
  type SinkTarget,
} from "../../../sql/sink-outbox.js";
import {
  type ConnectionConfig,
  type SqlQueries,
  SqlSession,
  type SqlTransaction,
} from "../../../sql/sql-session.js";
import type { Clock, Log } from "../../../transforms/primitives/do-fn.js";
import type { Sink } from "../../graph/sinks.js";
import type { SinkDatabaseStatus } from "../../job/job.js";
import type { StartedRun } from "../../run/run-start.js";
import { CANCEL_WAIT_MS } from "../pause.js";
import type { ReplayCounts } from "./apply-epoch.js";
import { SinkDatabaseError } from "./sink-errors.js";
import { behindText, TargetReplay } from "./target-replay.js";

const APPLICATION_NAME = "millrace/sink-log";
/** What may wait in the log for one database; then the pipeline waits. */
const WAITING_EPOCHS_MAX = 1_000;
const WAITING_BYTES_MAX = 256 * 1024 * 1024;

export interface ReplayOptions {
  /** To the coordinating database. */
  readonly connection: ConnectionConfig;
  readonly sinks: readonly Sink[];
  readonly databases: SinkDatabases;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly once: boolean;
  /** How long a database may be away when nothing but it is waited for. */
  readonly retryTimeoutMs: number;
  /** Fires when the pipeline shall come to its end. */
  readonly end: AbortSignal;
  readonly cancel: AbortSignal;
  readonly onCounts: (step: string, counts: ReplayCounts) => void;
  readonly onAway: (status: SinkDatabaseStatus) => void;
}

/** Belongs to one run: it ends with the run's session. */
export class OutboxReplay {
  readonly #run: StartedRun;
  readonly #options: ReplayOptions;
  /** Beside the run's own, which is in its epochs. */
  readonly #session: SqlSession;
  readonly #targets = new Map<string, TargetReplay>();
  readonly #stop = new AbortController();
  /** Removed with what the last epochs committed, by database. */
  readonly #removed = new Map<string, number>();
  #logged: readonly LoggedBytes[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #failed: { readonly error: unknown } | undefined;
  #tellFailed: (error: unknown) => void = () => undefined;
  #changed: (() => void)[] = [];
  #endingMs: number | undefined;

  private constructor(run: StartedRun, session: SqlSession, options: ReplayOptions) {
    this.#run = run;
    this.#session = session;
    this.#options = options;
  }

  /**
   * Undefined: no sink is elsewhere, and the log is empty.
   * @throws SinkDatabaseError when the log has rows for a database that this process does not know
   */
  static async open(run: StartedRun, options: ReplayOptions): Promise<OutboxReplay | undefined> {
    const logged = await readLogged(run.session, run.key);
    const elsewhere = options.sinks.flatMap((sink) => sink.elsewhere ?? []);
    const names = new Set([...elsewhere, ...logged].map(({ database }) => database));
    if (names.size === 0) return undefined;
    for (const name of names) {
      if (!options.databases.has(name))
        throw new SinkDatabaseError(unknownText(run.key.pipeline, name, logged));
    }
    const { connection } = options;
    const session = await SqlSession.connect({ connection, applicationName: APPLICATION_NAME });
    const replay = new OutboxReplay(run, session, options);
    const queries = oneByOne(session);
    for (const database of names) {
      const tables = elsewhere.filter((one) => one.database === database).map(({ table }) => table);
      replay.#targets.set(database, replay.#target(database, tables, queries));
    }
    replay.#add(logged);
    return replay;
  }

  #target(database: string, tables: readonly SinkTarget[], queries: SqlQueries): TargetReplay {
    const { databases, clock, log, random, onCounts, onAway } = this.#options;
    return new TargetReplay({
      ...{ key: this.#run.key, database, connect: databases.get(database) as SinkDatabase, tables },
      ...{ queries, broken: () => this.#session.broken, clock, log, random, onCounts, onAway },
      patienceMs: () => this.#patienceMs(),
      stop: this.#stop.signal,
      onChange: () => this.#tellChanged(),
    });
  }

  get statuses(): SinkDatabaseStatus[] {
    return [...this.#targets.values()].map((target) => target.status);
  }

  /** Replays what an earlier run has left, and goes on with what comes. Resolves when the first bundle may run. */
  async begin(): Promise<void> {
    const { end, cancel } = this.#options;
    const stop = () => this.abandon();
    cancel.addEventListener("abort", stop, { signal: this.#stop.signal });
    end.addEventListener("abort", () => this.#ending(), { signal: this.#stop.signal });
    if (cancel.aborted) stop();
    if (this.#options.once || end.aborted) this.#ending();
    const each = [...this.#targets.values()].map((target) =>
      target.run().catch((error: unknown) => this.#fail(error)),
    );
    this.#running = Promise.all(each);
    await this.#until(() => end.aborted || [...this.#targets.values()].every(({ isReady }) => isReady));
  }

  /** Resolves when the log has room for another epoch. @throws what the replay failed with */
  room(): Promise<void> {
    return this.#until(() =>
      this.statuses.every(
        ({ waitingEpochs, waitingBytes }) =>
          waitingEpochs < WAITING_EPOCHS_MAX && waitingBytes < WAITING_BYTES_MAX,
      ),
    );
  }

  /** In an epoch's transaction, when all its rows are in the log: what is confirmed goes. */
  async beforeCommit(transaction: SqlTransaction & { readonly epoch: number }): Promise<void> {
    await this.#removeConfirmed(transaction);
    this.#logged = await readLoggedIn(transaction, this.#run.key, transaction.epoch);
  }

  /** That transaction is committed. */
  committed(): void {
    this.#add(this.#logged);
    this.#logged = [];
  }

  whenFailed(callback: (error: unknown) => void): void {
    this.#tellFailed = callback;
    if (this.#failed !== undefined) callback(this.#failed.error);
  }

  /** Resolves when all that was logged is there, and the log empty. @throws SinkBehindError, and what else it failed with */
  async finish(): Promise<void> {
    this.#ending();
    await this.#until(() => this.statuses.every(({ waitingEpochs }) => waitingEpochs === 0));
    const { session, key, runId, epoch } = this.#run;
    await session.begin();
    // whoever has taken over removes it
    if (await holdEpoch(session, key, { runId, epoch })) await this.#removeConfirmed(session);
    await session.commit();
  }

  /** Ends with what is there; of a job that was cancelled it says what is not. */
  async close(): Promise<void> {
    this.abandon();
    const { log, clock, cancel } = this.#options;
    const ended = new AbortController();
    // one that is just connecting to a database that does not answer is left behind
    await Promise.race([
      this.#running.finally(() => ended.abort()),
      clock.sleep(CANCEL_WAIT_MS, ended.signal),
    ]);
    await this.#session.close();
    // after any other end the job goes on by itself, or says what it failed with
    if (!cancel.aborted) return;
    for (const status of this.statuses) {
      if (status.waitingEpochs > 0) log.warn(behindText(this.#run.key.pipeline, status));
    }
  }

  /** The run has failed, or is cancelled: whoever waits here, waits no longer. */
  abandon(): void {
    this.#failed ??= { error: new Error("the replay into other databases was stopped") };
    this.#stop.abort();
    this.#tellChanged();
  }

  #add(logged: readonly LoggedBytes[]): void {
    for (const { database, epoch, bytes } of logged) this.#targets.get(database)?.add(epoch, bytes);
  }

  async #removeConfirmed(transaction: SqlTransaction): Promise<void> {
    for (const [database, { confirmedEpoch }] of this.#targets) {
      if (confirmedEpoch <= (this.#removed.get(database) ?? 0)) continue;
      await removeConfirmed(transaction, this.#run.key, database, confirmedEpoch);
      // should the transaction fail, this run ends with it
      this.#removed.set(database, confirmedEpoch);
    }
  }

  #ending(): void {
    this.#endingMs ??= this.#options.clock.monotonicMs();
    this.#tellChanged();
  }

  /** A stream waits without limit for a database that is away; what shall end, does not. */
  #patienceMs(): number | undefined {
    return this.#endingMs === undefined ? undefined : this.#options.retryTimeoutMs;
  }

  #fail(error: unknown): void {
    if (this.#failed !== undefined) return;
    this.#failed = { error };
    this.#tellFailed(error);
    this.#tellChanged();
  }

  #tellChanged(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }

  async #until(isSo: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failed !== undefined) throw this.#failed.error;
      if (isSo()) return;
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }
}

/** Several databases are replayed into at once; a session does one thing at a time. */
function oneByOne(session: SqlSession): SqlQueries {
  let last: Promise<unknown> = Promise.resolve();
  return {
    query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
      const answer = last.then(() => session.query<Row>(text, values));
      // who asked hears of the failure
      last = answer.catch(() => undefined);
      return answer;
    },
  };
}

function unknownText(pipeline: string, database: string, logged: readonly LoggedBytes[]): string {
  const epochs = logged.filter((one) => one.database === database).map(({ epoch }) => epoch);
  const what = epochs.length === 1 ? `epoch ${epochs[0]}` : `epochs ${epochs[0]} to ${epochs.at(-1)}`;
  return (
    `pipeline "${pipeline}" has ${what} still to be replayed into database "${database}", ` +
    `and no connection of that name: set ${sinkVariable(database)}`
  );
}

/** @throws SinkDatabaseError naming every sink whose database this process does not know */
export function refuseUnknownDatabases(
  sinks: readonly Sink[],
  databases: SinkDatabases,
  hasConnection: boolean,
): void {
  const problems = sinks.flatMap(({ step, elsewhere }) => {
    if (elsewhere === undefined) return [];
    const { database } = elsewhere;
    if (!hasConnection)
      return [`${step}: database "${database}" is replayed into from a database, and there is none`];
    if (databases.has(database)) return [];
    const known = [...databases.keys()].sort().join(", ") || "none";
    return [
      `${step}: there is no connection named "${database}" (known: ${known}): set ${sinkVariable(database)}`,
    ];
  });
  if (problems.length > 0) {
    throw new SinkDatabaseError(`sinks in other databases cannot be written to:\n  ${problems.join("\n  ")}`);
  }
}
