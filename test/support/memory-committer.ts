/** Commits epochs into memory, state and all, and crashes where a test says. */
import { randomUUID } from "node:crypto";
import { addCounts, NO_COUNTS } from "../../runners/bundle/bundle-ledger.js";
import {
  type CommitState,
  type CommittedEpoch,
  type Committer,
  Epoch,
  type EpochState,
} from "../../runners/direct/epoch.js";
import type { LocalStore } from "../../runners/direct/local-store/local-store.js";
import { packDelta, unpackDelta } from "../../runners/engine/durable/delta-format.js";
import { applyDelta, type StateRecord } from "../../runners/engine/durable/state-record.js";
import type { EpochMetrics } from "../../runners/job/metrics-store.js";
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";

/** The process that ran the pipeline is gone. */
export class Crash extends Error {
  override readonly name = "Crash";
}

/** What a database would hold; committers come and go. */
export class CommittedMemory {
  readonly records = new Map<string, Uint8Array>();
  readonly state: CommitState = { runId: randomUUID(), epoch: 0, totals: NO_COUNTS, watermarkMs: null };
  /** Told of each commit. */
  onCommit: () => void = () => undefined;
  /** Whether to crash instead of a commit, or right after it. */
  crashes: () => "before" | "after" | undefined = () => undefined;
  /** Has the keys of stateful steps, which leave the memory with each commit. */
  store: LocalStore | undefined;
  isSnapshotDue: () => boolean = () => false;

  get restored(): readonly StateRecord[] {
    return Array.from(this.records, ([key, value]) => ({ key, value }));
  }
}

export class MemoryCommitter implements Committer {
  readonly hasTransactions = true;

  constructor(private readonly memory: CommittedMemory) {}

  get state(): CommitState {
    return this.memory.state;
  }

  begin(metrics: EpochMetrics, earlier: Promise<unknown>): Epoch {
    return new MemoryEpoch(metrics, this.memory, earlier);
  }

  whenBroken(): void {
    // Memory does not break.
  }

  async abandon(): Promise<void> {
    // Nothing is under way outside of this process.
  }
}

class MemoryEpoch extends Epoch {
  constructor(
    metrics: EpochMetrics,
    private readonly memory: CommittedMemory,
    private readonly earlier: Promise<unknown>,
  ) {
    super(metrics);
  }

  override async transaction(): Promise<EpochTransaction> {
    throw new Error("a step asks for a transaction, and memory has none");
  }

  override async commit(state?: EpochState | undefined): Promise<CommittedEpoch> {
    await this.earlier;
    const { memory } = this;
    const crash = memory.crashes();
    if (crash === "before") throw new Crash("before a commit");
    if (state !== undefined) this.#save(state);
    const counts = this.ledger.total();
    memory.state.epoch += 1;
    memory.state.totals = addCounts(memory.state.totals, counts);
    memory.onCommit();
    if (crash === "after") throw new Crash("after a commit");
    return { epoch: memory.state.epoch, counts, durationMs: { wait: 0, sink: 0, commit: 0 } };
  }

  #save(state: EpochState): void {
    const { memory } = this;
    const isSnapshot = memory.isSnapshotDue();
    const delta = isSnapshot ? { puts: state.takeSnapshot(), removed: [] } : state.takeDelta();
    if (isSnapshot) memory.records.clear();
    applyDelta(memory.records, unpackDelta(packDelta(delta)));
    if (memory.store === undefined) return;
    memory.store.apply(delta, { runId: memory.state.runId, epoch: memory.state.epoch + 1 });
    memory.store.flushNow();
    state.release?.(0);
  }
}
