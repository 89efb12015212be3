/** Plans what a run of many workers reads of a directory: what is there now, and not yet committed as read. */
import { type PlannedFileRow, replacePlan, selectEarlierPlan } from "../../sql/planned-files.js";
import { forgetRanges } from "../../sql/read-ranges.js";
import type { SqlQueries, SqlTransaction } from "../../sql/sql-session.js";
import type { Clock, Log } from "../primitives/do-fn.js";
import { DirectoryPlan } from "./directory-plan.js";
import { DirectoryPlanner, type EarlierContent } from "./directory-planner.js";
import { realFileSystem } from "./file-system.js";
import {
  inputDirectory,
  type ReadFromDirectoryConfig,
  readFromDirectoryConfig,
} from "./read-from-directory-config.js";
import { storedPositions, toRow } from "./stored-positions.js";

const FILES_PER_QUERY = 1_000;

export interface PlanOptions {
  /** As the graph's `readFromDirectory` has it. */
  readonly config: ReadFromDirectoryConfig;
  /** Statements outside of any transaction. */
  readonly database: SqlQueries;
  /** Does the work in a transaction of the pipeline's run, and commits it. */
  readonly transact: (work: (transaction: SqlTransaction) => Promise<void>) => Promise<void>;
  readonly pipeline: string;
  readonly runId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Lists the directory and writes down, as the plan of this run, each file of which there is more to read, from
 * where and how far: the files and parts that reading with `available-now` would read. A file whose last line is
 * not ended is waited for, until it is quiet. What earlier runs read without committing it is forgotten, and so
 * is their plan. Only the process that holds the pipeline's lock may plan.
 * @throws when the directory cannot be listed
 */
export async function planDirectory(options: PlanOptions): Promise<DirectoryPlan> {
  const { pipeline, runId, database, transact, clock, log, signal } = options;
  const config = readFromDirectoryConfig.parse(options.config);
  const directory = inputDirectory(config, realFileSystem);
  const positions = storedPositions(database, pipeline);
  const earlier = (fileIds: readonly number[]) => earlierPlan(database, pipeline, fileIds);
  const planner = new DirectoryPlanner({ config, directory, positions, earlier, clock, log, signal });
  const { planned, changed, finished } = await planner.plan();
  const files = planned.map(
    (file, i): PlannedFileRow => ({
      ...toRow(file.stored),
      head_hash: file.stored.headHash,
      tail_hash: file.stored.tailHash,
      file_order: i,
      byte_end: file.content.rawOffset,
      planned_head_hash: file.content.headHash,
      planned_tail_hash: file.content.tailHash,
      is_tail_complete: file.isTailComplete,
    }),
  );
  await transact(async (transaction) => {
    await positions.save(transaction, changed);
    await forgetRanges(transaction, pipeline); // of what has a new generation now, the counts stay
    await replacePlan(transaction, pipeline, runId, files);
  });
  return new DirectoryPlan({ files, finished, config, directory, positions, pipeline, clock, log });
}

async function earlierPlan(
  database: SqlQueries,
  pipeline: string,
  fileIds: readonly number[],
): Promise<Map<number, EarlierContent>> {
  const contents = new Map<number, EarlierContent>();
  for (let i = 0; i < fileIds.length; i += FILES_PER_QUERY) {
    const rows = await selectEarlierPlan(database, pipeline, fileIds.slice(i, i + FILES_PER_QUERY));
    for (const row of rows) {
      const { generation, planned_head_hash: headHash, planned_tail_hash: tailHash } = row;
      contents.set(row.file_id, { generation, rawOffset: row.byte_end, headHash, tailHash });
    }
  }
  return contents;
}
