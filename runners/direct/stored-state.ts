/** The engine's state in PostgreSQL: snapshots, and what each epoch since the last one has changed. */
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
import { type RecordName, recordNameOf, type StateRecord } from "../engine/durable/state-record.js";
import type { EpochState } from "./epoch.js";
import { handOut, packState, StateTurns, snapshotOf, unpackState } from "./packed-state.js";

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

export class StoredState {
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
  static async load(queries: SqlQueries, key: PipelineKey, snapshotEpochs?: number): Promise<LoadedState> {
    const state = await readState(queries, key);
    const records = await recordsOf(state);
    return {
      stored: new StoredState(key, new StateTurns(state.snapshot?.epoch ?? 0, snapshotEpochs)),
      first: firstOwned(records.keys()),
      records: handOut(records),
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
}

/** What a savepoint holds becomes the pipeline's state as of this epoch. @throws StateFormatError */
export async function replaceState(
  transaction: SqlTransaction,
  at: Omit<StoredStateParts, "bytes">,
  stored: StoredParts,
): Promise<void> {
  const records = await recordsOf(stored);
  await dropState(transaction, at.key);
  if (records.size === 0) return;
  const puts = Array.from(records, ([key, value]): StateRecord => ({ key, value }));
  await insertStateSnapshot(transaction, { ...at, bytes: await packState(snapshotOf(puts)) });
}

function recordsOf({ snapshot, deltas }: StoredParts): Promise<Map<string, Uint8Array>> {
  return unpackState([...(snapshot === undefined ? [] : [snapshot]), ...deltas].map(({ bytes }) => bytes));
}

function firstOwned(keys: Iterable<string>): RecordName | undefined {
  for (const key of keys) {
    const name = recordNameOf(key);
    if (name.owner !== "") return name;
  }
  return undefined;
}
