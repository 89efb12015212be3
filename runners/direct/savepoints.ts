/** Savepoints of a pipeline: taken beside whoever runs it, and gone back to as a run of one commit. */
import { randomUUID } from "node:crypto";
import { insertCommit } from "../../sql/commits.js";
import { addToLedger, type RecordCounts } from "../../sql/ledger.js";
import { advanceEpoch, holdEpoch } from "../../sql/pipelines.js";
import { hasRanges } from "../../sql/read-ranges.js";
import {
  deleteSavepoint,
  filesLostSince,
  findSavepoint,
  forgetLettersAfter,
  insertSavepoint,
  type LostFile,
  lastSavepointBefore,
  listSavepoints,
  readSavepointState,
  restorePositions,
  type SavepointRow,
} from "../../sql/savepoints.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { sqlStateOf } from "../../sql/sql-state.js";
import { isStateElsewhere, writeStateShape } from "../../sql/state-chunks.js";
import type { Pipeline, runnerApi } from "../../transforms/primitives/beam.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";
import { addCounts, BundleLedger } from "../bundle/bundle-ledger.js";
import { graphProto } from "../graph/graph-proto.js";
import { type StateShape, shapeDifferences, stateShapeOf } from "../graph/state-shape.js";
import { translate } from "../graph/translate.js";
import { FencedError, startRun } from "../run/run-start.js";
import { replaceState } from "./stored-state.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const UNIQUE_VIOLATION = "23505";

/** What was asked for cannot be done; nothing has changed. */
export class SavepointError extends Error {
  override readonly name = "SavepointError";
  readonly code = "MILLRACE_SAVEPOINT";
}

export interface SavepointsOptions {
  /** In no transaction; a restore locks the pipeline on it. */
  readonly session: SqlSession;
  readonly pipeline: string;
}

export interface RestoreOptions {
  /** Terminate whoever runs the pipeline. */
  readonly takeover: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What a restore has come to. */
export interface Restored {
  readonly savepoint: SavepointRow;
  /** The commit that it was. */
  readonly epoch: number;
  readonly runId: string;
}

export class Savepoints {
  readonly #session: SqlSession;
  readonly #pipeline: string;

  constructor({ session, pipeline }: SavepointsOptions) {
    this.#session = session;
    this.#pipeline = pipeline;
  }

  /**
   * Copies state and positions as of the last commit; whoever runs the pipeline is not held up.
   * @throws SavepointError: a name that is taken or none, a pipeline that has committed nothing, or whose state
   * is on one machine alone
   */
  async take(name: string, by: string): Promise<SavepointRow> {
    if (!NAME.test(name)) {
      throw new SavepointError(
        "a savepoint's name must be 1 to 64 letters, digits, dots, hyphens and underscores, the first a letter or " +
          `digit, got ${JSON.stringify(name)}`,
      );
    }
    const taken = await this.#transact(async () => {
      await this.#session.execute("set transaction isolation level repeatable read");
      if (await isStateElsewhere(this.#session, this.#key)) {
        throw new SavepointError(
          `pipeline "${this.#pipeline}" keeps its state on one machine alone (--state-durability=local): a savepoint is ` +
            "a copy of what the database has",
        );
      }
      return insertSavepoint(this.#session, this.#key, name, by);
    }).catch((error: unknown) => {
      if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error;
      throw new SavepointError(`pipeline "${this.#pipeline}" has a savepoint "${name}" already`);
    });
    if (!taken) throw new SavepointError(`pipeline "${this.#pipeline}" has committed nothing yet`);
    return this.find(name);
  }

  /** Newest first. */
  list(): Promise<SavepointRow[]> {
    return listSavepoints(this.#session, this.#pipeline);
  }

  /** @throws SavepointError when there is none */
  async find(name: string): Promise<SavepointRow> {
    const found = await findSavepoint(this.#session, this.#pipeline, name);
    if (found === undefined)
      throw new SavepointError(`pipeline "${this.#pipeline}" has no savepoint ${JSON.stringify(name)}`);
    return found;
  }

  /** The last one from before this time. @throws SavepointError when there is none */
  async before(timeMs: number): Promise<SavepointRow> {
    const found = await lastSavepointBefore(this.#session, this.#pipeline, timeMs);
    if (found !== undefined) return found;
    const time = new Date(timeMs).toISOString();
    throw new SavepointError(`pipeline "${this.#pipeline}" has no savepoint from before ${time}`);
  }

  /** @throws SavepointError when there is none */
  async delete(name: string): Promise<void> {
    await this.find(name);
    await deleteSavepoint(this.#session, this.#pipeline, name);
  }

  /** What of the graph does not fit the savepoint's state, a sentence each. */
  differences({ state_shape }: SavepointRow, graph: Pipeline | runnerApi.Pipeline): string[] {
    if (state_shape === null) return [];
    return shapeDifferences(state_shape as StateShape, stateShapeOf(translate(graphProto(graph))));
  }

  /**
   * Makes the pipeline what it was, as a run of its own that fences the one before: state, positions, the watermark.
   * What has been read since is read again by the next run, and counts again. Rows stay: to a sink that takes each key
   * once they are duplicates then. Dead letters since are taken away, with their counts, and come again.
   * @throws SavepointError when files are gone that would be read again, or a run on a job server has not come to its
   * end; PipelineLockedError while somebody runs it, unless `takeover`
   */
  async restore(savepoint: SavepointRow, options: RestoreOptions): Promise<Restored> {
    const runId = randomUUID();
    const key = this.#key;
    const run = await startRun(this.#session, runId, {
      ...{ key, takeover: options.takeover, after: undefined, ownBackendPids: new Set<number>() },
      ...{ clock: options.clock, log: options.log, signal: options.signal },
    });
    const { pipeline, name } = savepoint;
    const epoch = run.epoch + 1;
    await this.#transact(async () => {
      const at = { runId, epoch: run.epoch };
      if (!(await holdEpoch(this.#session, key, at))) throw FencedError.of(run);
      await this.#refuseWhatIsGone(name);
      const state = await readSavepointState(this.#session, pipeline, name);
      await replaceState(this.#session, { key, epoch, runId }, state);
      await writeStateShape(this.#session, key, savepoint.state_shape);
      await restorePositions(this.#session, pipeline, name);
      const counts = await this.#takeOffLetters(savepoint.epoch);
      const deadLetters = sumOf(counts.deadLetters);
      await insertCommit(this.#session, { ...counts, deadLetters, pipeline, shard: key.shard, epoch, runId });
      const after = { totals: addCounts(run.totals, counts), watermarkMs: savepoint.watermark_ms };
      if (!(await advanceEpoch(this.#session, key, at, after))) throw FencedError.of(run);
    });
    return { savepoint, epoch, runId };
  }

  get #key() {
    return { pipeline: this.#pipeline, shard: 0 };
  }

  /** What is read again counts again; a letter that comes again must not be there. */
  async #takeOffLetters(epoch: number): Promise<RecordCounts> {
    const ledger = new BundleLedger();
    for (const { fileId, reason, count } of await forgetLettersAfter(this.#session, this.#pipeline, epoch)) {
      ledger.add(fileId, "records_read", -count);
      ledger.addDeadLetter(fileId, reason, -count);
    }
    await addToLedger(this.#session, this.#pipeline, ledger.files);
    return ledger.total();
  }

  async #refuseWhatIsGone(name: string): Promise<void> {
    if (await hasRanges(this.#session, this.#pipeline)) {
      throw new SavepointError(
        `pipeline "${this.#pipeline}" has a run on a job server that has not come to its end: finish it there first`,
      );
    }
    const lost = await filesLostSince(this.#session, this.#pipeline, name);
    if (lost.length === 0) return;
    throw new SavepointError(
      `savepoint "${name}" cannot be gone back to: ${lost.length} files that were read since are gone: ${nameSome(lost)}`,
    );
  }

  async #transact<T>(work: () => Promise<T>): Promise<T> {
    await this.#session.begin();
    try {
      const result = await work();
      await this.#session.commit();
      return result;
    } catch (error) {
      // the connection may be what failed; then nothing is open any more
      await this.#session.query("rollback").catch(() => undefined);
      throw error;
    }
  }
}

const FILES_NAMED = 5;

function nameSome(files: readonly LostFile[]): string {
  const named = files.slice(0, FILES_NAMED).map(({ path, state }) => `${path} (${state})`);
  if (files.length > FILES_NAMED) named.push(`and ${files.length - FILES_NAMED} more`);
  return named.join(", ");
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
