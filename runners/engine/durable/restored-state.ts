/** Records of an earlier process, handed out to whatever of the graph they are of. */
import { StateReader } from "./state-bytes.js";
import { recordNameOf, type StateRecord } from "./state-record.js";

export interface RestoredRecord {
  readonly parts: readonly string[];
  readonly bytes: Uint8Array;
  readonly value: StateReader;
}

export class RestoredState {
  readonly #records = new Map<string, Map<string, RestoredRecord[]>>();

  /** @throws when a key is malformed */
  constructor(records: Iterable<StateRecord>) {
    for (const { key, value } of records) {
      const { kind, owner, parts } = recordNameOf(key);
      const owners = getOrCreate(this.#records, kind, () => new Map<string, RestoredRecord[]>());
      getOrCreate(owners, owner, () => []).push({ parts, bytes: value, value: new StateReader(value) });
    }
  }

  /** The owner's records of a kind, in no particular order. */
  take(kind: string, owner: string): readonly RestoredRecord[] {
    const owners = this.#records.get(kind);
    const records = owners?.get(owner) ?? [];
    owners?.delete(owner);
    if (owners?.size === 0) this.#records.delete(kind);
    return records;
  }

  /** The one record that an owner has of a kind, if it has one. */
  takeOne(kind: string, owner: string): StateReader | undefined {
    return this.take(kind, owner)[0]?.value;
  }

  /** @throws StateOfOthersError when something was not taken: the graph was another one */
  refuseRest(): void {
    for (const [kind, owners] of this.#records) {
      for (const owner of owners.keys()) throw new StateOfOthersError(kind, owner);
    }
  }
}

/** There is state of a step or PCollection that the graph does not have. */
export class StateOfOthersError extends Error {
  override readonly name = "StateOfOthersError";
  readonly code = "MILLRACE_STATE_OF_OTHERS";

  constructor(
    readonly kind: string,
    readonly owner: string,
  ) {
    super(
      `state was kept of "${owner}" (${kind}), which the graph does not have or which keeps none there now: ` +
        "start the pipeline as it was, or under another name",
    );
  }
}

function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
