/** What a pipeline that reads a directory does around a run on a job server: plan, positions, files of dead letters. */

import type { SourceProgress } from "../runners/job/job.js";
import type { ClientContext, RunClient } from "../runners/job/run-client.js";
import { sumRanges } from "../sql/read-ranges.js";
import type { SqlSession, SqlTransaction } from "../sql/sql-session.js";
import type { EpochTransaction } from "../transforms/primitives/do-fn.js";
import { publishDeadLetters, recoverDeadLetters } from "../transforms/publish-dead-letters.js";
import type { DirectoryPlan } from "../transforms/read-from-directory/directory-plan.js";
import { planDirectory } from "../transforms/read-from-directory/plan-directory.js";
import type { ReadFromDirectoryOptions } from "../transforms/read-from-directory.js";

export interface DirectoryRunOptions {
  readonly pipeline: string;
  /** As the graph has it. */
  readonly read: ReadFromDirectoryOptions;
  readonly errorDir: string;
}

/** Of one run. */
export class DirectoryRunClient implements RunClient {
  readonly #options: DirectoryRunOptions;
  #plan: DirectoryPlan | undefined;
  #publish: () => Promise<void> = async () => undefined;

  constructor(options: DirectoryRunOptions) {
    this.#options = options;
  }

  async prepare({ session, pipeline, runId, clock, log, signal }: ClientContext): Promise<boolean> {
    await recoverDeadLetters(session, this.#options);
    this.#plan = await planDirectory({
      ...{ config: this.#options.read, database: session, pipeline, runId, clock, log, signal },
      transact: (work) => transact(session, work),
    });
    const { files, bytes } = this.#plan;
    if (files.length > 0) log.info(`${pipeline}: ${files.length} files with ${bytes} bytes to read`);
    return !this.#plan.isEmpty;
  }

  async settle(transaction: EpochTransaction, isEnd: boolean): Promise<readonly number[]> {
    this.#publish = await publishDeadLetters(transaction, this.#options);
    if (!isEnd) return [];
    await this.#plan!.commit(transaction);
    return this.#plan!.files.map((file) => file.file_id);
  }

  async publish({ session }: ClientContext, isEnd: boolean): Promise<void> {
    await this.#publish();
    if (isEnd) await this.#plan!.finish((work) => transact(session, work));
  }

  async progress({ session, pipeline }: ClientContext): Promise<readonly SourceProgress[]> {
    const read = await sumRanges(session, pipeline);
    const { files, bytes } = this.#plan!;
    return [
      {
        description: `directory ${this.#options.read.directory}`,
        startOffset: {},
        endOffset: {},
        records: read.records,
        backlogBytes: Math.max(0, bytes - read.bytes),
        backlogFiles: Math.max(0, files.length - read.files),
      },
    ];
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
