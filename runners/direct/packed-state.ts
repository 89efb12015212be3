/** The engine's state as it is stored, wherever that is: whose turn is a snapshot, records as bytes and back. */
import { promisify } from "node:util";
import { deflateRaw, deflateRawSync, inflateRaw } from "node:zlib";
import { isOutdated, packDelta, type UnpackedDelta, unpackDelta } from "../engine/durable/delta-format.js";
import {
  applyDelta,
  type RecordName,
  recordNameOf,
  type StateDelta,
  type StateRecord,
} from "../engine/durable/state-record.js";
import { upgradeRecords } from "../engine/durable/upgrade-records.js";
import type { EpochState } from "./epoch.js";

/** Most of what a better level saves, it pays for with more time than its storage needs for the rest. */
const COMPRESSION_LEVEL = 1;
/** To hand less than this to another thread costs more than to do it here. */
const AT_ONCE_BYTES_MAX = 32_768;
/** Begins what is packed by itself, one piece of several: no deflated bytes begin with it. */
const PIECE = 0xff;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** What of an epoch's state is to be stored with it. */
export interface PackedState {
  /** All there is: nothing that was stored before is needed any more. */
  readonly isSnapshot: boolean;
  readonly bytes: Buffer;
}

/** Takes what changed for most epochs; all there is when a snapshot is due. */
export class StateTurns {
  constructor(private readonly schedule: SnapshotSchedule) {}

  /** Should the commit fail, whoever commits must end with it. */
  async take(epoch: number, state: EpochState): Promise<PackedState> {
    const isSnapshot = this.schedule.isDue(epoch);
    const bytes = await packState(isSnapshot ? snapshotOf(state.takeSnapshot()) : state.takeDelta());
    if (isSnapshot) this.schedule.snapshotStored(epoch, bytes.length);
    else this.schedule.deltaStored(bytes.length);
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

export async function packPiece(records: readonly StateRecord[]): Promise<Buffer> {
  return Buffer.concat([Buffer.from([PIECE]), await packState(snapshotOf(records))]);
}

/** Of one epoch, as it is stored: pieces by themselves, or all parts together. @throws StateFormatError */
export async function* unpacked(
  rows: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<UnpackedDelta> {
  const parts: Uint8Array[] = [];
  for await (const row of rows) {
    if (row[0] === PIECE) yield unpackDelta(await inflate(row.subarray(1)));
    else parts.push(row);
  }
  if (parts.length > 0) yield unpackDelta(await inflate(Buffer.concat(parts)));
}

/** Records as deltas make them, in memory; what was written in an earlier format is made that of today. */
export class Records {
  readonly all = new Map<string, Uint8Array>();
  #isOutdated = false;

  add(delta: UnpackedDelta): void {
    if (this.#isOutdated && !isOutdated(delta.version)) this.finish();
    this.#isOutdated = isOutdated(delta.version);
    applyDelta(this.all, delta);
  }

  /** No more comes. */
  finish(): this {
    if (this.#isOutdated) upgradeRecords(this.all);
    this.#isOutdated = false;
    return this;
  }

  /** Each once, and then it is not here any more. */
  *handOut(): Generator<StateRecord> {
    for (const [key, value] of this.all) {
      this.all.delete(key);
      yield { key, value };
    }
  }
}

export function firstOwned(keys: Iterable<string>): RecordName | undefined {
  for (const key of keys) {
    const name = recordNameOf(key);
    if (name.owner !== "") return name;
  }
  return undefined;
}

/** How many epochs of deltas a start may have to read before a snapshot takes their place, at the least. */
export const SNAPSHOT_EPOCHS = 100;
/** So many times that, and a snapshot is due however small the deltas are beside it. */
const EPOCHS_FACTOR_MAX = 100;

/** When a snapshot is due: it costs no more than the deltas whose place it takes. */
export class SnapshotSchedule {
  #deltaBytes: number;
  #snapshotBytes: number;
  #snapshotEpoch: number;

  constructor(
    private readonly epochs: number,
    stored: { readonly snapshotEpoch: number; readonly snapshotBytes: number; readonly deltaBytes: number },
  ) {
    this.#deltaBytes = stored.deltaBytes;
    this.#snapshotBytes = stored.snapshotBytes;
    this.#snapshotEpoch = stored.snapshotEpoch;
  }

  isDue(epoch: number): boolean {
    const since = epoch - this.#snapshotEpoch;
    if (since < this.epochs) return false;
    return this.#deltaBytes >= this.#snapshotBytes || since >= EPOCHS_FACTOR_MAX * this.epochs;
  }

  deltaStored(bytes: number): void {
    this.#deltaBytes += bytes;
  }

  /** A snapshot as of this epoch is stored. */
  snapshotStored(epoch: number, bytes: number): void {
    this.#snapshotEpoch = epoch;
    this.#snapshotBytes = bytes;
    this.#deltaBytes = 0;
  }
}
