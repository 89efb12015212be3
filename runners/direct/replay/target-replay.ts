/** Replays what one run logs for one other database: epoch after epoch, however often that database goes away. */
import { createHash } from "node:crypto";
import type { PipelineKey } from "../../../sql/pipelines.js";
import { refusePooler } from "../../../sql/pooler.js";
import type { SinkDatabase } from "../../../sql/sink-databases.js";
import {
  createSinkTables,
  endBroken,
  endNamesakes,
  identifySession,
  type SessionIdentity,
} from "../../../sql/sink-ledger.js";
import type { SinkTarget } from "../../../sql/sink-outbox.js";
import { type SqlQueries, SqlSession } from "../../../sql/sql-session.js";
import { backoffMs, classify } from "../../../sql/sql-state.js";
import type { Clock, Log } from "../../../transforms/primitives/do-fn.js";
import { failpoint } from "../../../transforms/primitives/failpoint.js";
import type { SinkDatabaseStatus } from "../../job/job.js";
import { checkTarget, EpochApplier, type ReplayCounts } from "./apply-epoch.js";
import { SinkBehindError, SinkDatabaseError } from "./sink-errors.js";

export interface TargetOptions {
  readonly key: PipelineKey;
  /** The name of the other database, and how it is reached. */
  readonly database: string;
  readonly connect: SinkDatabase;
  /** Tables that the graph's sinks write to there. */
  readonly tables: readonly SinkTarget[];
  /** On the coordinating database. */
  readonly queries: SqlQueries;
  /** What broke that connection, if anything did. */
  readonly broken: () => Error | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** How long the database may be away once nothing but it is waited for; undefined: for ever. */
  readonly patienceMs: () => number | undefined;
  /** Fires when the run is over, whatever is left. */
  readonly stop: AbortSignal;
  readonly onCounts: (step: string, counts: ReplayCounts) => void;
  /** Something of the status is another. */
  readonly onChange: () => void;
  /** Told once when the database goes away, and once when it is back. */
  readonly onAway: (status: SinkDatabaseStatus) => void;
}

export class TargetReplay {
  readonly #options: TargetOptions;
  readonly #applier: EpochApplier;
  /** Bytes of the epochs that are to be replayed, in order. */
  readonly #waiting = new Map<number, number>();
  #waitingBytes = 0;
  #confirmedEpoch = 0;
  #session: SqlSession | undefined;
  /** Of this process, and perhaps there still though the connection broke. */
  #sessions: readonly SessionIdentity[] | undefined;
  #isChecked = false;
  #away: { readonly sinceMs: number; readonly reason: string } | undefined;
  #wake: () => void = () => undefined;

  constructor(options: TargetOptions) {
    this.#options = options;
    this.#applier = new EpochApplier(options);
  }

  get status(): SinkDatabaseStatus {
    const epochs = [...this.#waiting.keys()];
    return {
      database: this.#options.database,
      waitingEpochs: epochs.length,
      waitingBytes: this.#waitingBytes,
      firstWaitingEpoch: epochs[0],
      lastWaitingEpoch: epochs.at(-1),
      awaySinceMs: this.#away?.sinceMs,
      awayReason: this.#away?.reason,
    };
  }

  /** All up to this epoch is there. */
  get confirmedEpoch(): number {
    return this.#confirmedEpoch;
  }

  /** Nothing that can be done before the first bundle is left to be done. */
  get isReady(): boolean {
    return this.#away !== undefined || (this.#isChecked && this.#waiting.size === 0);
  }

  /** An epoch is in the log, and committed. */
  add(epoch: number, bytes: number): void {
    this.#waiting.set(epoch, bytes);
    this.#waitingBytes += bytes;
    this.#wake();
  }

  /** Replays until it is stopped. @throws what no retry can cure; SinkBehindError */
  async run(): Promise<void> {
    const { stop } = this.#options;
    const close = () => {
      this.#wake();
      void this.#session?.close();
    };
    stop.addEventListener("abort", close);
    try {
      stop.throwIfAborted();
      await this.#untilDone(() => this.#check());
      this.#isChecked = true;
      while (!stop.aborted) {
        this.#options.onChange();
        const [epoch] = this.#waiting.keys();
        if (epoch === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
        else await this.#replay(epoch);
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    } finally {
      stop.removeEventListener("abort", close);
      await this.#session?.close();
    }
  }

  async #replay(epoch: number): Promise<void> {
    const counts = await this.#untilDone(async () => {
      await this.#connected();
      return this.#applier.apply(epoch);
    });
    failpoint("before-confirmation");
    this.#waitingBytes -= this.#waiting.get(epoch) ?? 0;
    this.#waiting.delete(epoch);
    this.#confirmedEpoch = epoch;
    for (const [step, of] of counts) this.#options.onCounts(step, of);
  }

  /** Looks at the tables of the graph, so that what is wrong with them is said at the start. */
  async #check(): Promise<void> {
    const session = await this.#connected();
    for (const table of this.#options.tables) await checkTarget(session, table);
  }

  async #connected(): Promise<SqlSession> {
    if (this.#session !== undefined && this.#session.broken === undefined) return this.#session;
    await this.#session?.close();
    const connection = await this.#options.connect();
    const applicationName = applicationNameOf(this.#options);
    const connect = () => SqlSession.connect({ connection, applicationName });
    const session = await connect();
    this.#session = session;
    await refusePooler(session, connect);
    // this run has fenced whoever was before it; later only what was its own is surely not another's
    if (this.#sessions === undefined) await endNamesakes(session, applicationName);
    else await endBroken(session, this.#sessions);
    this.#sessions = [await identifySession(session)];
    await createSinkTables(session);
    this.#applier.connected(session);
    return session;
  }

  /** Tries again on a new connection, after growing, random pauses, until it is done. */
  async #untilDone<T>(work: () => Promise<T>): Promise<T> {
    const { stop, clock, random, broken, database } = this.#options;
    const startMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await work();
        this.#isBack();
        return result;
      } catch (error) {
        await this.#session?.close();
        this.#session = undefined;
        stop.throwIfAborted();
        // the coordinating database is what is away: the run begins anew with it
        const lost = broken();
        if (lost !== undefined) throw lost;
        if (classify(error) !== "retry") throw named(database, error);
        this.#isAway(error);
        this.#refuseToWait(startMs);
        await clock.sleep(backoffMs(attempt, random), stop);
        stop.throwIfAborted();
      }
    }
  }

  #isAway(error: unknown): void {
    const { database, log, clock } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#away !== undefined) return;
    this.#away = { sinceMs: clock.now(), reason };
    log.warn(
      `database "${database}" of sinks cannot be written to: ${reason}; rows are committed here, and replayed when it is back`,
    );
    this.#options.onAway(this.status);
    this.#options.onChange();
  }

  #isBack(): void {
    const { database, log, clock } = this.#options;
    if (this.#away === undefined) return;
    const seconds = ((clock.now() - this.#away.sinceMs) / 1_000).toFixed(1);
    this.#away = undefined;
    log.info(`database "${database}" of sinks is back after ${seconds} s`);
    this.#options.onAway(this.status);
  }

  /** @throws SinkBehindError when only this database is waited for, and has been for long enough */
  #refuseToWait(startMs: number): void {
    const { patienceMs, clock, key } = this.#options;
    const patience = patienceMs();
    if (patience === undefined || clock.monotonicMs() - startMs < patience) return;
    throw new SinkBehindError(behindText(key.pipeline, this.status));
  }
}

/** A name of these replays alone, within what PostgreSQL keeps of one. */
function applicationNameOf({ key, database }: Pick<TargetOptions, "key" | "database">): string {
  const of = JSON.stringify([key.pipeline, key.shard, database]);
  const hash = createHash("sha256").update(of).digest("hex");
  return `millrace/sink ${hash.slice(0, 16)}`;
}

/** What is still to be replayed, for people. */
export function behindText(pipeline: string, status: SinkDatabaseStatus): string {
  const { database, waitingEpochs, firstWaitingEpoch: first, lastWaitingEpoch: last, awayReason } = status;
  const which = first === last ? `epoch ${first}` : `${waitingEpochs} epochs, ${first} to ${last},`;
  const what = waitingEpochs === 0 ? "nothing is still to be replayed" : `${which} still to be replayed`;
  const why = awayReason === undefined ? "" : `, which is away (${awayReason})`;
  return `pipeline "${pipeline}" is committed, and into database "${database}"${why} ${what}: the next run does it`;
}

/** An error of a database says nothing of which one. */
function named(database: string, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  return message.includes(`database "${database}"`) && error instanceof Error
    ? error
    : new SinkDatabaseError(`database "${database}" of sinks: ${message}`, { cause: error });
}
