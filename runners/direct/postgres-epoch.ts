/** Epochs that are one PostgreSQL transaction each. */
import { insertCommit, pruneCommits } from "../../sql/commits.js";
import { addToLedger } from "../../sql/ledger.js";
import { advanceEpoch, holdEpoch } from "../../sql/pipelines.js";
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import { failpoint } from "../../transforms/primitives/failpoint.js";
import { addCounts } from "../bundle/bundle-ledger.js";
import type { EpochMetrics } from "../job/metrics-store.js";
import { FencedError, type StartedRun } from "../run/run-start.js";
import { type CommitState, type CommittedEpoch, type Committer, Epoch, type EpochState } from "./epoch.js";
import type { OutboxReplay } from "./replay/outbox-replay.js";
import type { StateStorage } from "./state-storage.js";

/** How many rows `commits` keeps for a pipeline; older ones are removed now and then. */
const COMMITS_KEPT = 10_000;
const PRUNE_EVERY_EPOCHS = 1_000;

/** The state of a run that its commits move on, strictly in order. */
export type Run = StartedRun & CommitState;

/** Commits the epochs of one run. */
export class PostgresCommitter implements Committer {
  readonly hasTransactions = true;
  readonly state: Run;
  readonly #monotonicMs: () => number;
  readonly #stored: StateStorage | undefined;
  readonly #replay: OutboxReplay | undefined;

  /**
   * @param stored where the engine's state goes; undefined where it does not outlive the process
   * @param replay what is logged for other databases; undefined where nothing is
   */
  constructor(
    run: Run,
    monotonicMs: () => number,
    stored: StateStorage | undefined,
    replay?: OutboxReplay | undefined,
  ) {
    this.state = run;
    this.#monotonicMs = monotonicMs;
    this.#stored = stored;
    this.#replay = replay;
  }

  begin(metrics: EpochMetrics, earlier: Promise<unknown>): Epoch {
    return new PostgresEpoch(metrics, this.state, earlier, this.#monotonicMs, this.#stored, this.#replay);
  }

  whenBroken(callback: (error: unknown) => void): void {
    this.state.session.whenBroken(callback);
    this.#replay?.whenFailed(callback);
  }

  async abandon(): Promise<void> {
    this.#replay?.abandon();
    await this.state.session.close();
  }
}

/**
 * Its transaction opens when a step first asks for it, and not before every earlier epoch is
 * committed; without anything to commit no epoch is used up.
 */
class PostgresEpoch extends Epoch {
  #transaction: Promise<EpochTransaction> | undefined;
  #askedAtMs = 0;
  #openedAtMs = 0;
  #sentBefore = 0;

  constructor(
    metrics: EpochMetrics,
    private readonly run: Run,
    /** Resolves when all earlier epochs are committed; rejects when one failed. */
    private readonly earlier: Promise<unknown>,
    private readonly monotonicMs: () => number,
    private readonly stored: StateStorage | undefined,
    private readonly replay: OutboxReplay | undefined,
  ) {
    super(metrics);
  }

  override transaction(): Promise<EpochTransaction> {
    this.#transaction ??= this.#open();
    return this.#transaction;
  }

  /**
   * @throws FencedError when another run has taken over.
   * @throws the driver's error; whether the commit happened is then for the database to say.
   */
  override async commit(state?: EpochState | undefined): Promise<CommittedEpoch | undefined> {
    await this.earlier;
    if (!this.ledger.isEmpty || state?.hasChanges) await this.transaction();
    if (this.#transaction === undefined) return undefined;
    const transaction = await this.#transaction;
    if (state !== undefined) await this.stored?.save(transaction, state);
    failpoint("after-state");
    const committed = await this.#commit(transaction);
    if (state !== undefined) await this.stored?.committed(state, transaction);
    failpoint("after-apply");
    return committed;
  }

  async #open(): Promise<EpochTransaction> {
    this.#askedAtMs = this.monotonicMs();
    await this.earlier;
    await this.replay?.room();
    failpoint("before-transaction");
    const { session, key, runId, epoch } = this.run;
    this.#openedAtMs = this.monotonicMs();
    this.#sentBefore = session.sentBytes;
    await session.begin();
    if (!(await holdEpoch(session, key, { runId, epoch }))) throw FencedError.of(this.run);
    failpoint("after-begin");
    return {
      epoch: epoch + 1,
      runId,
      query: (text, values) => session.query(text, values),
      execute: (text, values) => session.execute(text, values),
      copy: async (statement, chunks) => {
        const rows = await session.copy(statement, chunks);
        failpoint("after-stage");
        return rows;
      },
    };
  }

  async #commit(transaction: EpochTransaction): Promise<CommittedEpoch> {
    const { run } = this;
    const { pipeline, shard } = run.key;
    const counts = this.ledger.total();
    const totals = addCounts(run.totals, counts);
    const watermarkMs = this.watermarkAfter(run);
    if (!this.ledger.isEmpty) await addToLedger(transaction, pipeline, this.ledger.files);
    failpoint("after-ledger");
    await this.replay?.beforeCommit(transaction);
    await insertCommit(transaction, {
      ...counts,
      deadLetters: Object.values(counts.deadLetters).reduce((sum, count) => sum + count, 0),
      pipeline,
      shard,
      epoch: transaction.epoch,
      runId: run.runId,
    });
    if (transaction.epoch % PRUNE_EVERY_EPOCHS === 0)
      await pruneCommits(transaction, pipeline, shard, COMMITS_KEPT);
    const at = { runId: run.runId, epoch: run.epoch };
    if (!(await advanceEpoch(transaction, run.key, at, { totals, watermarkMs }))) throw FencedError.of(run);
    const readyAtMs = this.monotonicMs();
    failpoint("before-commit");
    await run.session.commit();
    failpoint("after-commit");
    this.replay?.committed();
    run.epoch = transaction.epoch;
    run.totals = totals;
    run.watermarkMs = watermarkMs;
    return {
      epoch: transaction.epoch,
      counts,
      sentBytes: run.session.sentBytes - this.#sentBefore,
      durationMs: {
        wait: this.#openedAtMs - this.#askedAtMs,
        sink: readyAtMs - this.#openedAtMs,
        commit: this.monotonicMs() - readyAtMs,
      },
    };
  }
}
