/** Epochs that are one record each of a commit log. */
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import { addCounts } from "../../bundle/bundle-ledger.js";
import type { EpochMetrics } from "../../job/metrics-store.js";
import { type CommitState, type CommittedEpoch, type Committer, Epoch, type EpochState } from "../epoch.js";
import { NoDatabaseError } from "../volatile-epoch.js";
import type { CommitLog } from "./commit-log.js";

/** Commits the epochs of one run. */
export class LogCommitter implements Committer {
  readonly hasTransactions = false;
  readonly #log: CommitLog;
  readonly #now: () => number;

  /** @param now ms since 1970 */
  constructor(log: CommitLog, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  get state(): CommitState {
    return this.#log.state;
  }

  begin(metrics: EpochMetrics, earlier: Promise<unknown>): Epoch {
    return new LogEpoch(metrics, this.#log, earlier, this.#now);
  }

  whenBroken(callback: (error: unknown) => void): void {
    this.#log.whenBroken(callback);
  }

  abandon(): Promise<void> {
    return this.#log.abandon();
  }
}

/** Without anything to commit no epoch is used up. */
class LogEpoch extends Epoch {
  constructor(
    metrics: EpochMetrics,
    private readonly log: CommitLog,
    private readonly earlier: Promise<unknown>,
    private readonly now: () => number,
  ) {
    super(metrics);
  }

  /** @throws NoDatabaseError always; the bundle processor says which step asked. */
  override async transaction(): Promise<EpochTransaction> {
    throw new NoDatabaseError("the step asks for the epoch's transaction");
  }

  /**
   * @throws FencedError when another run has taken over
   * @throws the file system's error; whether the commit happened is then for the next start to see
   */
  override async commit(state?: EpochState | undefined): Promise<CommittedEpoch | undefined> {
    await this.earlier;
    if (state === undefined) throw new Error("a commit log commits state, and the engine keeps none");
    if (this.ledger.isEmpty && !state.hasChanges) return undefined;
    const before = this.log.state;
    const counts = this.ledger.total();
    const totals = addCounts(before.totals, counts);
    const watermarkMs = this.watermarkAfter(before);
    const epoch = before.epoch + 1;
    const facts = { epoch, atMs: this.now(), counts, totals, watermarkMs };
    const { packMs, writeMs } = await this.log.commit(facts, state);
    before.epoch = epoch;
    before.totals = totals;
    before.watermarkMs = watermarkMs;
    return { epoch, counts, durationMs: { wait: 0, sink: packMs, commit: writeMs } };
  }
}
