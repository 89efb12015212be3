/** State that is kept on this machine alone: the database has the epochs, the store what the steps keep. */
import type { PipelineKey } from "../../../sql/pipelines.js";
import { dropState } from "../../../sql/state-chunks.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import type { StateDelta } from "../../engine/durable/state-record.js";
import type { EpochState } from "../epoch.js";
import type { StateStorage } from "../state-storage.js";
import type { LocalStore, StorePosition } from "./local-store.js";
import { type StorePlace, writeAbout } from "./open-store.js";
import type { StagedDeltas } from "./staged-deltas.js";

export interface LocalStateParts {
  readonly key: PipelineKey;
  readonly place: StorePlace;
  readonly store: LocalStore;
  readonly staged: StagedDeltas;
  readonly residentBytesMax: number;
  /** The database has state that it is not to have any more. */
  readonly databaseHasState: boolean;
}

/** A delta is on the disk before its epoch commits, and in the store after it. */
export class LocalState implements StateStorage {
  readonly #parts: LocalStateParts;
  #databaseHasState: boolean;
  #saved: StateDelta | undefined;

  constructor(parts: LocalStateParts) {
    this.#parts = parts;
    this.#databaseHasState = parts.databaseHasState;
  }

  async save(transaction: EpochTransaction, state: EpochState): Promise<void> {
    const { key, staged } = this.#parts;
    const { epoch, runId } = transaction;
    if (this.#databaseHasState) await dropState(transaction, key);
    this.#saved = state.takeDelta();
    await staged.write({ epoch, runId }, this.#saved);
  }

  async committed(state: EpochState, commit: StorePosition): Promise<void> {
    const { store, residentBytesMax } = this.#parts;
    this.#databaseHasState = false;
    if (this.#saved !== undefined) store.apply(this.#saved, commit);
    this.#saved = undefined;
    if (store.isFull) await this.#flush();
    state.release?.(residentBytesMax);
  }

  async close(): Promise<void> {
    await this.#flush();
    await this.#parts.store.close();
  }

  async #flush(): Promise<void> {
    const { store, staged, place } = this.#parts;
    await store.flush(place.isSynced);
    await writeAbout(place, store);
    if (store.flushed !== undefined) await staged.removeUpTo(store.flushed.epoch);
  }
}
