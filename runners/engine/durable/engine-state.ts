/** The state of an engine as records: what changed of it, all of it, and back again. */
import type { ColdKeys } from "./cold-keys.js";
import type { Durable, DurableParts } from "./durable-parts.js";
import { RestoredState } from "./restored-state.js";
import type { StateCodec } from "./state-codec.js";
import { StateChanges, StateLog } from "./state-log.js";
import type { StateDelta, StateRecord } from "./state-record.js";

/**
 * What is in flight counts as not begun: an engine restored from the records gives it out again. So records can be
 * taken at any time between calls of the engine, though a bundle's effects elsewhere must be committed with them.
 */
export class EngineState {
  readonly #changes: StateChanges;
  readonly #sources: readonly Durable[];
  readonly #log = new StateLog();

  readonly #release: (bytesMax: number) => void;

  static partsOf(codec: StateCodec, cold?: ColdKeys | undefined): DurableParts {
    return { codec, changes: new StateChanges(), cold };
  }

  /**
   * @param release lets go of what a store has
   * @throws StateOfOthersError when there are records that none of the sources has
   */
  constructor(
    changes: StateChanges,
    sources: readonly Durable[],
    restored: Iterable<StateRecord>,
    release: (bytesMax: number) => void,
  ) {
    this.#changes = changes;
    this.#sources = sources;
    this.#release = release;
    const records = new RestoredState(restored);
    for (const source of sources) source.restoreState(records);
    records.refuseRest();
    changes.forget();
  }

  /**
   * Whether anything has changed since the last delta that would be missed. Watermarks alone would not: an earlier one
   * only lets the next process look again.
   */
  get hasChanges(): boolean {
    return this.#changes.areThere;
  }

  /** Records put and removed since the last call, and since the last snapshot. */
  takeDelta(): StateDelta {
    return this.#take(false);
  }

  /** All records there are: nothing that came before is needed any more. */
  takeSnapshot(): readonly StateRecord[] {
    return this.#take(true).puts;
  }

  /**
   * Where a store has keys: lets go of those that it has as they are, until the others take about this much memory, in
   * bytes. Not while a delta that was taken is not committed.
   */
  release(bytesMax: number): void {
    this.#release(bytesMax);
  }

  #take(isFull: boolean): StateDelta {
    this.#log.begin(isFull);
    for (const source of this.#sources) source.writeState(this.#log);
    this.#changes.forget();
    return this.#log.take();
  }
}
