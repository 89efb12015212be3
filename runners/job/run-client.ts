/** What a pipeline does from outside its graph around a run on a job server, where workers may do anything twice. */
import type { SqlSession } from "../../sql/sql-session.js";
import type { Clock, EpochTransaction, Log } from "../../transforms/primitives/do-fn.js";
import type { SourceProgress } from "./job.js";

export interface ClientContext {
  readonly pipeline: string;
  readonly runId: string;
  /** Holds the pipeline. */
  readonly session: SqlSession;
  readonly once: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Fires when the job is cancelled. */
  readonly signal: AbortSignal;
}

/** One run's at a time; `prepare` begins the next. The direct runner needs none: its steps do all of it in their epochs. */
export interface RunClient {
  /**
   * Does what an earlier run has left undone after its commit, and fixes what this run reads. False: there is
   * nothing to read. The session is not in a transaction.
   */
  prepare(context: ClientContext): Promise<boolean>;
  /**
   * Moves the positions in the input on, in the transaction that closes an epoch. `isEnd`: the job is done, all that
   * was fixed is read. Resolves to the ids of files of which nothing is on its way any more.
   */
  settle(transaction: EpochTransaction, isEnd: boolean): Promise<readonly number[]>;
  /** After the commit of the epoch that was settled last. */
  publish(context: ClientContext, isEnd: boolean): Promise<void>;
  /** Of a stream: lets its sources hand out nothing more. What they have handed out goes on. */
  drain(context: ClientContext): Promise<void>;
  /** Of a stream: whether nothing is known to be on its way. */
  isSettled(context: ClientContext): Promise<boolean>;
  /** How far the reading is, by what is in the database. */
  progress(context: ClientContext): Promise<readonly SourceProgress[]>;
}
