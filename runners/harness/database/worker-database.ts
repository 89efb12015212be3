/** The database of a worker: a transaction for each bundle that asks for one, fenced by the run of the pipeline. */
import { addToLedger } from "../../../sql/ledger.js";
import { joinEpoch } from "../../../sql/pipelines.js";
import { type ConnectionConfig, type SqlQueries, SqlSession } from "../../../sql/sql-session.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import { failpoint } from "../../../transforms/primitives/failpoint.js";
import { BundleLedger } from "../../bundle/bundle-ledger.js";
import { FencedError } from "../../run/run-start.js";
import type { WorkerRun } from "./worker-run.js";

const APPLICATION_NAME = "millrace/worker";

/** Sessions are opened when needed and used again: as many as bundles have a transaction open at once. */
export class WorkerDatabase {
  readonly #connection: ConnectionConfig;
  readonly #idle: SqlSession[] = [];
  #side: Promise<SqlSession> | undefined;
  /** The last statement of the side session: the next one waits for it. */
  #asked: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(
    connection: ConnectionConfig,
    readonly run: WorkerRun,
  ) {
    this.#connection = connection;
  }

  /** For statements outside of any bundle, on a session of their own that is opened anew when it breaks. */
  readonly queries: SqlQueries = {
    query: <Row>(text: string, values?: readonly unknown[]) => {
      const answer = this.#asked.then(async () => (await this.#sideSession()).query<Row>(text, values));
      this.#asked = answer.catch(() => undefined); // whoever asked is told
      return answer;
    },
  };

  /** What one bundle writes. */
  begin(): BundleTransaction {
    return new BundleTransaction(this);
  }

  /** @throws the driver's error when the database does not take us. */
  async take(): Promise<SqlSession> {
    const session = this.#idle.pop();
    if (session !== undefined && session.broken === undefined) return session;
    await session?.close();
    return this.#connect();
  }

  async giveBack(session: SqlSession): Promise<void> {
    if (this.#isClosed || session.broken !== undefined) await session.close();
    else this.#idle.push(session);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const side = await this.#side?.catch(() => undefined); // it never opened
    await Promise.all([side, ...this.#idle.splice(0)].map((session) => session?.close()));
  }

  async #sideSession(): Promise<SqlSession> {
    const session = await this.#side?.catch(() => undefined); // what failed before is tried again
    if (session !== undefined && session.broken === undefined) return session;
    this.#side = this.#connect();
    return this.#side;
  }

  #connect(): Promise<SqlSession> {
    return SqlSession.connect({ connection: this.#connection, applicationName: APPLICATION_NAME });
  }
}

/** Opened when a step first asks for it. After `rollback`, whatever comes of it is rolled back too. */
export class BundleTransaction {
  readonly ledger = new BundleLedger();
  readonly #database: WorkerDatabase;
  #opening: Promise<EpochTransaction> | undefined;
  #session: SqlSession | undefined;
  #isOver = false;

  constructor(database: WorkerDatabase) {
    this.#database = database;
  }

  /** @throws FencedError when the pipeline belongs to another run. */
  open(): Promise<EpochTransaction> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /**
   * Commits what the steps wrote, and what they counted; without either it does nothing.
   * @throws the driver's error; whether the commit happened is then for the next attempt to find.
   */
  async commit(): Promise<void> {
    if (!this.ledger.isEmpty) await this.open();
    if (this.#opening === undefined) return;
    const transaction = await this.#opening;
    const session = this.#session!;
    // in one order everywhere, so that bundles which share files wait for each other instead of locking up
    const files = this.ledger.files.sort((a, b) => a.fileId - b.fileId);
    await addToLedger(transaction, this.#database.run.pipeline, files);
    failpoint("before-commit");
    this.#isOver = true;
    await session.commit();
    failpoint("after-commit");
    await this.#database.giveBack(session);
  }

  /** Closes the session, from which PostgreSQL concludes the rest; a commit under way may still win. */
  async rollback(): Promise<void> {
    this.#isOver = true;
    await this.#session?.close();
  }

  async #open(): Promise<EpochTransaction> {
    const session = await this.#database.take();
    this.#session = session;
    if (this.#isOver) {
      await session.close();
      throw new Error("the bundle was abandoned before its transaction was open");
    }
    const { pipeline, runId } = this.#database.run;
    await session.begin();
    const epoch = await joinEpoch(session, { pipeline, shard: 0 }, runId);
    if (epoch === undefined) {
      await this.rollback();
      throw new FencedError(`pipeline "${pipeline}" was taken over: its run is no longer ${runId}`);
    }
    failpoint("after-begin");
    return {
      epoch: epoch + 1,
      runId,
      query: (text, values) => session.query(text, values),
      execute: (text, values) => session.execute(text, values),
      copy: (statement, chunks) => session.copy(statement, chunks),
    };
  }
}
