/** The engine's state in PostgreSQL: snapshots, and what each epoch since the last one has changed. */
import type { PipelineKey } from "../../sql/pipelines.js";
import type { SavepointState } from "../../sql/savepoints.js";
import type { SqlQueries, SqlTransaction } from "../../sql/sql-session.js";
import {
  dropState,
  dropUnfinishedSnapshots,
  insertStateDelta,
  insertStateSnapshot,
  listState,
  pruneState,
  readChunks,
  readChunksInTurn,
  type StoredParts,
  type StoredStateParts,
} from "../../sql/state-chunks.js";
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import type { UnpackedDelta } from "../engine/durable/delta-format.js";
import type { StateRecord } from "../engine/durable/state-record.js";
import type { EpochState } from "./epoch.js";
import {
  firstOwned,
  packState,
  Records,
  SNAPSHOT_EPOCHS,
  SnapshotSchedule,
  StateTurns,
  snapshotOf,
  unpacked,
} from "./packed-state.js";
import type { LoadedState, StateStorage } from "./state-storage.js";

/** All of it is in memory while the pipeline runs, and a snapshot is taken from there. */
export class StoredState implements StateStorage {
  readonly #key: PipelineKey;
  readonly #turns: StateTurns;

  private constructor(key: PipelineKey, turns: StateTurns) {
    this.#key = key;
    this.#turns = turns;
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
    await dropUnfinishedSnapshots(queries, key);
    const parts = await listState(queries, key);
    const records = new Records();
    for await (const { delta } of readDeltas(queries, key, parts)) records.add(delta);
    records.finish();
    return {
      storage: new StoredState(key, new StateTurns(scheduleOf(parts, snapshotEpochs))),
      first: firstOwned(records.all.keys()),
      records: records.handOut(),
      cold: undefined,
    };
  }

  /** Puts what changed into the epoch's transaction; all there is when it is time for a snapshot. */
  async save(transaction: EpochTransaction, state: EpochState): Promise<void> {
    const { epoch, runId } = transaction;
    const { isSnapshot, bytes } = await this.#turns.take(epoch, state);
    const parts: StoredStateParts = { key: this.#key, epoch, runId, bytes };
    if (!isSnapshot) {
      await insertStateDelta(transaction, parts);
      return;
    }
    await insertStateSnapshot(transaction, parts);
    await pruneState(transaction, this.#key, epoch);
  }

  async committed(): Promise<void> {
    // It is where it belongs.
  }

  async finish(): Promise<void> {
    // It is where it belongs.
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

export function scheduleOf({ snapshot, deltas }: StoredParts, epochs: number): SnapshotSchedule {
  return new SnapshotSchedule(epochs, {
    snapshotEpoch: snapshot?.epoch ?? 0,
    snapshotBytes: snapshot?.bytes ?? 0,
    deltaBytes: deltas.reduce((sum, { bytes }) => sum + bytes, 0),
  });
}

/** The snapshot, piece by piece where it is in pieces, and each delta behind it. */
export async function* readDeltas(
  queries: SqlQueries,
  key: PipelineKey,
  { snapshot, deltas }: StoredParts,
): AsyncGenerator<{ readonly epoch: number; readonly delta: UnpackedDelta }> {
  if (snapshot !== undefined) {
    const { epoch } = snapshot;
    const rows = readChunksInTurn(queries, key, "state_snapshots", epoch);
    for await (const delta of unpacked(rows)) yield { epoch, delta };
  }
  for (const { epoch } of deltas) {
    const rows = await readChunks(queries, key, "state_deltas", epoch);
    for await (const delta of unpacked(rows)) yield { epoch, delta };
  }
}

/** What a savepoint holds becomes the pipeline's state as of this epoch. @throws StateFormatError */
export async function replaceState(
  transaction: SqlTransaction,
  at: Omit<StoredStateParts, "bytes">,
  stored: readonly SavepointState[],
): Promise<void> {
  const records = new Records();
  for (const { chunks } of stored) for await (const delta of unpacked(chunks)) records.add(delta);
  const { all } = records.finish();
  await dropState(transaction, at.key);
  if (all.size === 0) return;
  const puts = Array.from(all, ([key, value]): StateRecord => ({ key, value }));
  await insertStateSnapshot(transaction, { ...at, bytes: await packState(snapshotOf(puts)) });
}
