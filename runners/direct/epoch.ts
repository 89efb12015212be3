/** An epoch: what its bundles did, committed together or not at all. */
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import { failpoint } from "../../transforms/primitives/failpoint.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import { BundleLedger } from "../bundle/bundle-ledger.js";
import type { StateDelta, StateRecord } from "../engine/durable/state-record.js";
import type { RecordCounts } from "../job/job.js";
import type { EpochMetrics } from "../job/metrics-store.js";

/** What commits move on, strictly in order. */
export interface CommitState {
  readonly runId: string;
  /** Last committed epoch. */
  epoch: number;
  totals: RecordCounts;
  watermarkMs: number | null;
}

/** Where the epochs of a run are committed. */
export interface Committer {
  readonly state: CommitState;
  /**
   * Whether a sink may be given one bundle an epoch only: what it writes carries the epoch's number.
   */
  readonly hasTransactions: boolean;
  /** A new epoch, to be committed after those whose commits `earlier` waits for. */
  begin(metrics: EpochMetrics, earlier: Promise<unknown>): Epoch;
  /** Calls back when nothing can be committed any more. */
  whenBroken(callback: (error: unknown) => void): void;
  /** The run has failed: what is still committing fails at once, so that it can be waited for. */
  abandon(): Promise<void>;
}

/** What a commit did. */
export interface CommittedEpoch {
  readonly epoch: number;
  readonly counts: RecordCounts;
  /** Sent to the database in its transaction; absent without one. */
  readonly sentBytes?: number;
  /** In ms: waiting for its turn, the steps' statements, the COMMIT itself. */
  readonly durationMs: { readonly wait: number; readonly sink: number; readonly commit: number };
}

/** What of the engine's state a commit takes in. The engine does nothing meanwhile. */
export interface EpochState {
  /** Whether it must be committed, also where there is nothing else to commit. */
  readonly hasChanges: boolean;
  takeDelta(): StateDelta;
  takeSnapshot(): readonly StateRecord[];
  /** What was taken is committed: what a store has may leave the memory, until so many bytes are left. */
  release?(bytesMax: number): void;
}

/** What the bundles of an epoch share. */
export abstract class Epoch {
  readonly ledger = new BundleLedger();
  readonly metrics: EpochMetrics;
  /** Records that sources emitted, and their event times, ms since 1970. */
  records = 0;
  minTimestampMs = Number.POSITIVE_INFINITY;
  maxTimestampMs = Number.NEGATIVE_INFINITY;
  readonly #callbacks: (() => void | Promise<void>)[] = [];

  constructor(metrics: EpochMetrics) {
    this.metrics = metrics;
  }

  afterCommit(callback: () => void | Promise<void>): void {
    this.#callbacks.push(callback);
  }

  sourceEmitted(timestampMs: number): void {
    this.records += 1;
    if (timestampMs < this.minTimestampMs && timestampMs > MIN_TIMESTAMP_MS)
      this.minTimestampMs = timestampMs;
    if (timestampMs > this.maxTimestampMs && timestampMs > MIN_TIMESTAMP_MS)
      this.maxTimestampMs = timestampMs;
  }

  /** The one transaction of this epoch, opened when it is first asked for. */
  abstract transaction(): Promise<EpochTransaction>;

  /**
   * Commits what the steps did; undefined when there was nothing to commit. Call it after every step
   * has finished its bundle, and `finalize` after it.
   * @param state undefined where it does not outlive the process
   * @throws when it is not, or not known to be, committed
   */
  abstract commit(state?: EpochState | undefined): Promise<CommittedEpoch | undefined>;

  /** Runs what waits for the commit; the next epoch may be committing meanwhile. */
  async finalize(): Promise<void> {
    failpoint("before-finalize");
    for (const callback of this.#callbacks) {
      const done = callback();
      if (done !== undefined) await done;
    }
    failpoint("after-finalize");
  }

  /** The largest event time committed; it never goes back. */
  protected watermarkAfter(state: CommitState): number | null {
    if (this.maxTimestampMs === Number.NEGATIVE_INFINITY) return state.watermarkMs;
    return Math.max(this.maxTimestampMs, state.watermarkMs ?? Number.NEGATIVE_INFINITY);
  }
}
