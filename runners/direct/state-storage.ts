/** Where a run's state goes when an epoch commits, and what it began with. */
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import type { ColdKeys } from "../engine/durable/cold-keys.js";
import type { RecordName, StateRecord } from "../engine/durable/state-record.js";
import type { EpochState } from "./epoch.js";

export interface StateStorage {
  /** Puts what the epoch changed where it is committed with everything else; the engine does nothing meanwhile. */
  save(transaction: EpochTransaction, state: EpochState): Promise<void>;
  /** What was saved is committed. */
  committed(state: EpochState, commit: { readonly runId: string; readonly epoch: number }): Promise<void>;
  /** The run has come to its end: nothing has to be made up for by the next one. */
  finish(): Promise<void>;
  /** The run is over, however it ended. */
  close(): Promise<void>;
}

/** What a run begins with, and where its own state goes. */
export interface LoadedState {
  readonly storage: StateStorage;
  /** Of the first record that is of a step or PCollection; undefined: there are no records. */
  readonly first: RecordName | undefined;
  /** To be gone through once: they are not held any longer than that. */
  readonly records: Iterable<StateRecord>;
  /** Has the records of keys, which then are not among the others. */
  readonly cold: ColdKeys | undefined;
}
