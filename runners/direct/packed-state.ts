/** The engine's state as it is stored, wherever that is: whose turn is a snapshot, records as bytes and back. */
import { promisify } from "node:util";
import { deflateRaw, deflateRawSync, inflateRaw } from "node:zlib";
import { packDelta, unpackDelta } from "../engine/durable/delta-format.js";
import { applyDelta, type StateDelta, type StateRecord } from "../engine/durable/state-record.js";
import type { EpochState } from "./epoch.js";

/** How many epochs of deltas a start may have to read before a snapshot takes their place. */
const SNAPSHOT_EPOCHS = 100;
/** Most of what a better level saves, it pays for with more time than its storage needs for the rest. */
const COMPRESSION_LEVEL = 1;

/** To hand less than this to another thread costs more than to do it here. */
const AT_ONCE_BYTES_MAX = 32_768;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** What of an epoch's state is to be stored with it. */
export interface PackedState {
  /** All there is: nothing that was stored before is needed any more. */
  readonly isSnapshot: boolean;
  readonly bytes: Buffer;
}

/** Takes what changed for most epochs; for one in `snapshotEpochs` all there is. */
export class StateTurns {
  readonly #snapshotEpochs: number;
  #snapshotEpoch: number;

  /** @param snapshotEpoch of the last snapshot; negative infinity: the next epoch must be one */
  constructor(snapshotEpoch: number, snapshotEpochs: number = SNAPSHOT_EPOCHS) {
    this.#snapshotEpoch = snapshotEpoch;
    this.#snapshotEpochs = snapshotEpochs;
  }

  /** Should the commit fail, whoever commits must end with it. */
  async take(epoch: number, state: EpochState): Promise<PackedState> {
    const isSnapshot = epoch - this.#snapshotEpoch >= this.#snapshotEpochs;
    const bytes = await packState(isSnapshot ? snapshotOf(state.takeSnapshot()) : state.takeDelta());
    if (isSnapshot) this.#snapshotEpoch = epoch;
    return { isSnapshot, bytes };
  }
}

export function snapshotOf(puts: readonly StateRecord[]): StateDelta {
  return { puts, removed: [] };
}

export async function packState(delta: StateDelta): Promise<Buffer> {
  const bytes = packDelta(delta);
  const options = { level: COMPRESSION_LEVEL };
  return bytes.length < AT_ONCE_BYTES_MAX ? deflateRawSync(bytes, options) : deflate(bytes, options);
}

/** @param parts a snapshot, if there is one, and what changed since, in their order. @throws StateFormatError */
export async function unpackState(parts: Iterable<Uint8Array>): Promise<Map<string, Uint8Array>> {
  const records = new Map<string, Uint8Array>();
  for (const bytes of parts) applyDelta(records, unpackDelta(await inflate(bytes)));
  return records;
}

/** Each record once; it is not held any longer than that. */
export function* handOut(records: Map<string, Uint8Array>): Generator<StateRecord> {
  for (const [key, value] of records) {
    records.delete(key);
    yield { key, value };
  }
}
