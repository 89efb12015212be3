/** What the nodes of an engine share where its state outlives the process. */
import type { ColdKeys } from "./cold-keys.js";
import type { RestoredState } from "./restored-state.js";
import type { StateCodec } from "./state-codec.js";
import type { StateChanges, StateLog } from "./state-log.js";

export interface DurableParts {
  readonly codec: StateCodec;
  readonly changes: StateChanges;
  /** The store of keys that need not be in memory; undefined: all are. */
  readonly cold?: ColdKeys | undefined;
}

/** Something that has records. */
export interface Durable {
  /** Puts what changed since the last call into the log; all there is where that is full. */
  writeState(log: StateLog): void;
  /** Takes its records; called once, before anything else. */
  restoreState(restored: RestoredState): void;
}
