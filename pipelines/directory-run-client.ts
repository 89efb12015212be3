/** What a pipeline that reads a directory does around a run on a job server: plan, positions, files of dead letters. */
import type { SourceProgress } from "../runners/job/job.js";
import type { ClientContext, RunClient } from "../runners/job/run-client.js";
import { askToDrain } from "../sql/pipelines.js";
import {
  dropRanges,
  filesWithoutRanges,
  forgetRanges,
  hasRanges,
  settleAllRanges,
  settleRanges,
  sumRanges,
} from "../sql/read-ranges.js";
import type { SqlSession, SqlTransaction } from "../sql/sql-session.js";
import type { EpochTransaction } from "../transforms/primitives/do-fn.js";
import { publishDeadLetters, recoverDeadLetters } from "../transforms/publish-dead-letters.js";
import { advancePositions } from "../transforms/read-from-directory/advance-positions.js";
import type { DirectoryPlan } from "../transforms/read-from-directory/directory-plan.js";
import { planDirectory } from "../transforms/read-from-directory/plan-directory.js";
import type { ReadFromDirectoryOptions } from "../transforms/read-from-directory.js";

export interface DirectoryRunOptions {
  readonly pipeline: string;
  /** As the graph has it. */
  readonly read: ReadFromDirectoryOptions;
  readonly errorDir: string;
}

/** `isBounded` decides whether the input of a run is planned or watched. */
export function directoryRunClient(options: DirectoryRunOptions, isBounded: boolean): RunClient {
  return isBounded ? new PlannedRunClient(options) : new WatchingRunClient(options);
}

/** Files of dead letters, which both kinds of run make of the table. */
abstract class DirectoryRunClient {
  #publish: () => Promise<void> = async () => undefined;

  constructor(protected readonly options: DirectoryRunOptions) {}

  protected recoverLetters({ session }: ClientContext): Promise<void> {
    return recoverDeadLetters(session, this.options);
  }

  protected async writeLetters(transaction: EpochTransaction): Promise<void> {
    this.#publish = await publishDeadLetters(transaction, this.options);
  }

  async publish(_context: ClientContext, _isEnd: boolean): Promise<void> {
    await this.#publish();
  }

  protected source(records: number, backlogBytes: number, backlogFiles: number): readonly SourceProgress[] {
    const description = `directory ${this.options.read.directory}`;
    return [{ description, startOffset: {}, endOffset: {}, records, backlogBytes, backlogFiles }];
  }
}

class PlannedRunClient extends DirectoryRunClient implements RunClient {
  #plan: DirectoryPlan | undefined;
  #isRead = false;

  async prepare(context: ClientContext): Promise<boolean> {
    const { session, pipeline, runId, clock, log, signal } = context;
    await this.recoverLetters(context);
    this.#isRead = false;
    this.#plan = await planDirectory({
      ...{ config: this.options.read, database: session, pipeline, runId, clock, log, signal },
      transact: (work) => transact(session, work),
    });
    const { files, bytes } = this.#plan;
    if (files.length > 0) log.info(`${pipeline}: ${files.length} files with ${bytes} bytes to read`);
    return !this.#plan.isEmpty;
  }

  /** Positions move at the end alone: until then a failed run is as if it had not been. */
  async settle(transaction: EpochTransaction, isEnd: boolean): Promise<readonly number[]> {
    await this.writeLetters(transaction);
    if (!isEnd) return [];
    await this.#plan!.commit(transaction);
    await dropRanges(transaction, this.options.pipeline);
    this.#isRead = true;
    return this.#plan!.files.map((file) => file.file_id);
  }

  override async publish(context: ClientContext, isEnd: boolean): Promise<void> {
    await super.publish(context, isEnd);
    if (isEnd) await this.#plan!.finish((work) => transact(context.session, work));
  }

  /** It reads what was planned, and ends by itself. */
  async drain(): Promise<void> {}

  async isSettled(): Promise<boolean> {
    return false;
  }

  async progress({ session, pipeline }: ClientContext): Promise<readonly SourceProgress[]> {
    const { files, bytes } = this.#plan!;
    if (this.#isRead) return this.source(0, 0, 0);
    const read = await sumRanges(session, pipeline);
    return this.source(read.records, Math.max(0, bytes - read.bytes), Math.max(0, files.length - read.files));
  }
}

class WatchingRunClient extends DirectoryRunClient implements RunClient {
  async prepare(context: ClientContext): Promise<boolean> {
    await this.recoverLetters(context);
    await transact(context.session, (transaction) => forgetRanges(transaction, context.pipeline));
    return true;
  }

  /** Positions follow what the runner's checkpoints have passed; behind a job's end all of it is. */
  async settle(transaction: EpochTransaction, isEnd: boolean): Promise<readonly number[]> {
    const { pipeline } = this.options;
    await this.writeLetters(transaction);
    if (isEnd) await settleAllRanges(transaction, pipeline);
    else await settleRanges(transaction, pipeline);
    const moved = new Set<number>();
    for (let more = [0]; more.length > 0; ) {
      more = await advancePositions(transaction, pipeline);
      for (const fileId of more) moved.add(fileId);
    }
    return filesWithoutRanges(transaction, pipeline, [...moved]);
  }

  drain({ session, pipeline, runId }: ClientContext): Promise<void> {
    return askToDrain(session, { pipeline, shard: 0 }, runId);
  }

  /** Positions have passed every range that was read. */
  async isSettled({ session, pipeline }: ClientContext): Promise<boolean> {
    return !(await hasRanges(session, pipeline));
  }

  async progress({ session, pipeline }: ClientContext): Promise<readonly SourceProgress[]> {
    const read = await sumRanges(session, pipeline);
    return this.source(read.records, 0, 0);
  }
}

async function transact(
  session: SqlSession,
  work: (transaction: SqlTransaction) => Promise<void>,
): Promise<void> {
  await session.begin();
  try {
    await work(session);
    await session.commit();
  } catch (error) {
    if (session.broken === undefined) await session.execute("rollback");
    throw error;
  }
}
