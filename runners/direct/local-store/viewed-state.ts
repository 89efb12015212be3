/** State in PostgreSQL of which this machine has a view: keys need not be in memory, and a start need not read all. */
import type { PipelineKey } from "../../../sql/pipelines.js";
import {
  insertSnapshotPiece,
  insertStateDelta,
  pruneState,
  type StoredStateParts,
} from "../../../sql/state-chunks.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import type { EpochState } from "../epoch.js";
import { packPiece, packState, type SnapshotSchedule } from "../packed-state.js";
import { StoreBackedState, type StoreParts } from "./store-backed-state.js";
import type { ReadPlace } from "./store-records.js";

/** Of records in one piece of a snapshot, before it is packed: an epoch's transaction takes one in. */
const PIECE_BYTES = 4 * 1024 * 1024;

export interface ViewedStateParts extends StoreParts {
  readonly key: PipelineKey;
  readonly schedule: SnapshotSchedule;
  readonly pieceBytes?: number | undefined;
}

/** A snapshot that is being written, a piece an epoch. */
interface Snapshot {
  /** What is in it is not older than this; deltas behind it are read after it. */
  readonly epoch: number;
  readonly from: ReadPlace | undefined;
  readonly pieces: number;
  readonly bytes: number;
  /** Of the deltas that have come meanwhile. */
  readonly deltaBytes: number;
}

export class ViewedState extends StoreBackedState {
  readonly #parts: ViewedStateParts;
  #snapshot: Snapshot | undefined;

  constructor(parts: ViewedStateParts) {
    super(parts);
    this.#parts = parts;
  }

  override async save(transaction: EpochTransaction, state: EpochState): Promise<void> {
    const { key, schedule } = this.#parts;
    const { epoch, runId } = transaction;
    // Before the delta is taken: what it writes is to be in the store when that is written the next time, not before.
    this.#snapshot ??= this.#begin(epoch);
    const delta = this.take(state);
    const bytes = await packState(delta);
    await insertStateDelta(transaction, { key, epoch, runId, bytes });
    schedule.deltaStored(bytes.length);
    if (this.#snapshot !== undefined) {
      this.#snapshot = { ...this.#snapshot, deltaBytes: this.#snapshot.deltaBytes + bytes.length };
    }
    await this.#writeSnapshot(transaction);
  }

  /** Should a transaction fail, this run ends with it, and the next one removes what is not whole. */
  async #writeSnapshot(transaction: EpochTransaction): Promise<void> {
    const { key, schedule, store, pieceBytes = PIECE_BYTES } = this.#parts;
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    const { records, next } = store.readOn(snapshot.from, pieceBytes);
    const bytes = await packPiece(records);
    const parts: StoredStateParts = { key, epoch: snapshot.epoch, runId: transaction.runId, bytes };
    await insertSnapshotPiece(transaction, parts, next === undefined ? 0 : snapshot.pieces + 1);
    const { deltaBytes } = snapshot;
    const total = snapshot.bytes + bytes.length;
    if (next === undefined) {
      await pruneState(transaction, key, snapshot.epoch);
      schedule.snapshotStored(snapshot.epoch, total);
      schedule.deltaStored(deltaBytes);
      this.#snapshot = undefined;
    } else {
      const pieces = snapshot.pieces + 1;
      this.#snapshot = { epoch: snapshot.epoch, from: next, pieces, bytes: total, deltaBytes };
    }
  }

  #begin(epoch: number): Snapshot | undefined {
    const { schedule, store } = this.#parts;
    if (!schedule.isDue(epoch) || store.position === undefined) return undefined;
    store.flushNow();
    return { epoch: store.position.epoch, from: undefined, pieces: 0, bytes: 0, deltaBytes: 0 };
  }
}
