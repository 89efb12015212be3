/** Where a run's state goes when an epoch commits, and what it began with. */
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import type { ColdKeys } from "../engine/durable/cold-keys.js";
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

export interface StateStorage {
  /** Puts what the epoch changed where it is committed with everything else; the engine does nothing meanwhile. */
  save(transaction: EpochTransaction, state: EpochState): Promise<void>;
  /** What was saved is committed. */
  committed(state: EpochState, commit: { readonly runId: string; readonly epoch: number }): Promise<void>;
  /** The run is over. */
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

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Most of what a better level saves, it pays for with more time than the database needs for the rest. */
const COMPRESSION_LEVEL = 1;
/** Begins what is packed by itself, one piece of several: no deflated bytes begin with it. */
const PIECE = 0xff;

export function packed(delta: StateDelta): Promise<Buffer> {
  return deflate(packDelta(delta), { level: COMPRESSION_LEVEL });
}

export async function packedPiece(records: readonly StateRecord[]): Promise<Buffer> {
  return Buffer.concat([Buffer.from([PIECE]), await packed({ puts: records, removed: [] })]);
}

/** Of one epoch, as its rows have it: pieces by themselves, or all of them one. */
export async function* unpacked(
  rows: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<UnpackedDelta> {
  const parts: Buffer[] = [];
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
