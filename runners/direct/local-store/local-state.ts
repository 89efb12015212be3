/** State that is kept on this machine alone: the database has the epochs, the store what the steps keep. */
import type { PipelineKey } from "../../../sql/pipelines.js";
import { dropState } from "../../../sql/state-chunks.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import type { EpochState } from "../epoch.js";
import type { StorePosition } from "./local-store.js";
import type { StagedDeltas } from "./staged-deltas.js";
import { StoreBackedState, type StoreParts } from "./store-backed-state.js";

export interface LocalStateParts extends StoreParts {
  readonly key: PipelineKey;
  readonly staged: StagedDeltas;
  /** The database has state that it is not to have any more. */
  readonly databaseHasState: boolean;
}

/** A delta is on the disk before its epoch commits, and in the store after it. */
export class LocalState extends StoreBackedState {
  readonly #parts: LocalStateParts;
  #databaseHasState: boolean;

  constructor(parts: LocalStateParts) {
    super(parts);
    this.#parts = parts;
    this.#databaseHasState = parts.databaseHasState;
  }

  override async save(transaction: EpochTransaction, state: EpochState): Promise<void> {
    const { key, staged } = this.#parts;
    const { epoch, runId } = transaction;
    if (this.#databaseHasState) await dropState(transaction, key);
    await staged.write({ epoch, runId }, this.take(state));
  }

  override committed(state: EpochState, commit: StorePosition): Promise<void> {
    this.#databaseHasState = false;
    return super.committed(state, commit);
  }

  override async finish(): Promise<void> {
    const { store, staged } = this.#parts;
    await super.finish();
    if (store.flushed !== undefined) await staged.removeUpTo(store.flushed.epoch);
  }
}
