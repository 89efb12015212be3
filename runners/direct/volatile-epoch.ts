/** Epochs of a job without a database: in memory alone, gone with the process. */
import { randomUUID } from "node:crypto";
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import { addCounts, NO_COUNTS } from "../bundle/bundle-ledger.js";
import type { EpochMetrics } from "../job/metrics-store.js";
import { type CommitState, type CommittedEpoch, type Committer, Epoch } from "./epoch.js";

/** A step asked for what only a database can give. */
export class NoDatabaseError extends Error {
  override readonly name = "NoDatabaseError";
  readonly code = "MILLRACE_NO_DATABASE";

  constructor(what: string) {
    super(
      `${what}, and this job has no database: give the runner a \`connection\` (PostgreSQL) and a \`pipelineName\``,
    );
  }
}

/** Commits are what happens in memory. */
export class VolatileCommitter implements Committer {
  readonly hasTransactions = false;
  readonly state: CommitState = {
    runId: randomUUID(),
    epoch: 0,
    totals: NO_COUNTS,
    watermarkMs: null,
  };

  begin(metrics: EpochMetrics, earlier: Promise<unknown>): Epoch {
    return new VolatileEpoch(metrics, this.state, earlier);
  }

  whenBroken(): void {
    // Memory does not break.
  }

  async abandon(): Promise<void> {
    // Nothing is under way outside of this process.
  }
}

class VolatileEpoch extends Epoch {
  constructor(
    metrics: EpochMetrics,
    private readonly state: CommitState,
    private readonly earlier: Promise<unknown>,
  ) {
    super(metrics);
  }

  /** @throws NoDatabaseError always; the bundle processor says which step asked. */
  override async transaction(): Promise<EpochTransaction> {
    throw new NoDatabaseError("the step asks for the epoch's transaction");
  }

  override async commit(): Promise<CommittedEpoch> {
    await this.earlier;
    const { state } = this;
    const counts = this.ledger.total();
    state.epoch += 1;
    state.totals = addCounts(state.totals, counts);
    state.watermarkMs = this.watermarkAfter(state);
    return { epoch: state.epoch, counts, durationMs: { wait: 0, sink: 0, commit: 0 } };
  }
}
