/** The engine's state in PostgreSQL: snapshots, and what each epoch since the last one has changed. */
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import type { PipelineKey } from "../../sql/pipelines.js";
import type { SqlQueries, SqlTransaction } from "../../sql/sql-session.js";
import {
  dropState,
  insertStateDelta,
  insertStateSnapshot,
  pruneState,
  readState,
  type StoredStateParts,
} from "../../sql/state-chunks.js";
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import { isOutdated, packDelta, unpackDelta } from "../engine/durable/delta-format.js";
import {
  applyDelta,
  type RecordName,
  recordNameOf,
  type StateDelta,
  type StateRecord,
} from "../engine/durable/state-record.js";
import { upgradeRecords } from "../engine/durable/upgrade-records.js";
import type { EpochState } from "./epoch.js";

/** How many epochs of deltas a start may have to read before a snapshot takes their place. */
const SNAPSHOT_EPOCHS = 100;
/** Most of what a better level saves, it pays for with more time than the database needs for the rest. */
const COMPRESSION_LEVEL = 1;

/** What a run begins with, and where its own state goes. */
export interface LoadedState {
  readonly stored: StoredState;
  /** Of the first record that is of a step or PCollection; undefined: there are no records. */
  readonly first: RecordName | undefined;
  /** To be gone through once: they are not held any longer than that. */
  readonly records: Iterable<StateRecord>;
}

/** As the database has it. */
type StoredParts = Awaited<ReturnType<typeof readState>>;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

export class StoredState {
  readonly #key: PipelineKey;
  readonly #snapshotEpochs: number;
  /** Epoch of the last snapshot; 0: there is none. */
  #snapshotEpoch: number;

  /** What is stored is of an earlier format: nothing may be added to it. */
  #isOutdated: boolean;

  private constructor(key: PipelineKey, snapshotEpoch: number, snapshotEpochs: number, isOld: boolean) {
    this.#key = key;
    this.#snapshotEpoch = snapshotEpoch;
    this.#snapshotEpochs = snapshotEpochs;
    this.#isOutdated = isOld;
  }

  /**
   * What is committed, and where the rest goes: in the session that has taken the pipeline's run, so that nobody else
   * commits any more.
   * @throws StateFormatError when it was stored by another program
   */
  static async load(
    queries: SqlQueries,
    key: PipelineKey,
    snapshotEpochs: number = SNAPSHOT_EPOCHS,
  ): Promise<LoadedState> {
    const state = await readState(queries, key);
    const { records, isOld } = await recordsOf(state);
    return {
      stored: new StoredState(key, state.snapshot?.epoch ?? 0, snapshotEpochs, isOld),
      first: firstOwned(records.keys()),
      records: handOut(records),
    };
  }

  /** Puts what changed into the epoch's transaction; all there is when it is time for a snapshot. */
  async save(transaction: EpochTransaction, state: EpochState): Promise<void> {
    const { epoch, runId } = transaction;
    const isSnapshot = this.#isOutdated || epoch - this.#snapshotEpoch >= this.#snapshotEpochs;
    const delta = isSnapshot ? { puts: state.takeSnapshot(), removed: [] } : state.takeDelta();
    const bytes = await packed(delta);
    const parts: StoredStateParts = { key: this.#key, epoch, runId, bytes };
    if (!isSnapshot) {
      await insertStateDelta(transaction, parts);
      return;
    }
    await insertStateSnapshot(transaction, parts);
    await pruneState(transaction, this.#key, epoch);
    // Should the transaction fail, this run ends with it.
    this.#snapshotEpoch = epoch;
    this.#isOutdated = false;
  }
}

/** What a savepoint holds becomes the pipeline's state as of this epoch. @throws StateFormatError */
export async function replaceState(
  transaction: SqlTransaction,
  at: Omit<StoredStateParts, "bytes">,
  stored: StoredParts,
): Promise<void> {
  const { records } = await recordsOf(stored);
  await dropState(transaction, at.key);
  if (records.size === 0) return;
  const puts = Array.from(records, ([key, value]): StateRecord => ({ key, value }));
  await insertStateSnapshot(transaction, { ...at, bytes: await packed({ puts, removed: [] }) });
}

/** As they are written today, and whether any of them was written in an earlier format. */
async function recordsOf({ snapshot, deltas }: StoredParts) {
  const records = new Map<string, Uint8Array>();
  let isOld = false;
  for (const { bytes } of [...(snapshot === undefined ? [] : [snapshot]), ...deltas]) {
    const delta = unpackDelta(await inflate(bytes));
    applyDelta(records, delta);
    isOld ||= isOutdated(delta.version);
  }
  if (isOld) upgradeRecords(records);
  return { records, isOld };
}

function packed(delta: StateDelta): Promise<Buffer> {
  return deflate(packDelta(delta), { level: COMPRESSION_LEVEL });
}

function firstOwned(keys: Iterable<string>): RecordName | undefined {
  for (const key of keys) {
    const name = recordNameOf(key);
    if (name.owner !== "") return name;
  }
  return undefined;
}

function* handOut(records: Map<string, Uint8Array>): Generator<StateRecord> {
  for (const [key, value] of records) {
    records.delete(key);
    yield { key, value };
  }
}
