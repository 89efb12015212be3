/** What state in a local store has in common, wherever it is committed: the store is given it behind the commit. */
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import type { StateDelta } from "../../engine/durable/state-record.js";
import type { EpochState } from "../epoch.js";
import type { StateStorage } from "../state-storage.js";
import type { LocalStore, StorePosition } from "./local-store.js";
import { type StorePlace, writeAbout } from "./open-store.js";

export interface StoreParts {
  readonly place: StorePlace;
  readonly store: LocalStore;
  readonly residentBytesMax: number;
}

export abstract class StoreBackedState implements StateStorage {
  readonly #parts: StoreParts;
  #saved: StateDelta | undefined;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  abstract save(transaction: EpochTransaction, state: EpochState): Promise<void>;

  async committed(state: EpochState, commit: StorePosition): Promise<void> {
    const { store, residentBytesMax } = this.#parts;
    if (this.#saved !== undefined) store.apply(this.#saved, commit);
    this.#saved = undefined;
    if (store.isFull) await this.finish();
    state.release?.(residentBytesMax);
  }

  async finish(): Promise<void> {
    const { store, place } = this.#parts;
    await store.flush(place.isSynced);
    await writeAbout(place, store);
  }

  close(): Promise<void> {
    return this.#parts.store.close();
  }

  /** What the epoch has changed, for the store once it is committed. */
  protected take(state: EpochState): StateDelta {
    this.#saved = state.takeDelta();
    return this.#saved;
  }
}
