/** `pipeline`: runs one until it is done, stopped, or failed. */
import { stat } from "node:fs/promises";
import { redact } from "../../sql/redact.js";
import { suggestFolder } from "../config/nearest-folder.js";
import type { LoadedConfig } from "../config.js";
import { followJob } from "../follow-job.js";
import { monitorJob } from "../monitor-job.js";
import type { OpenDatabase } from "../open-database.js";
import {
  loadRunnable,
  type RunnableGraph,
  refuseNames,
  refuseSinkDatabases,
  type StartedJob,
  startJob,
} from "../start-job.js";
import { EXIT_FAILED, UsageError } from "../usage-error.js";
import type { VerbContext } from "../verb.js";

/** @throws UsageError for an unknown runner or pipeline, or a missing input folder. */
export async function runPipeline(context: VerbContext): Promise<number> {
  const [action] = context.args;
  if (action !== undefined) return (await import("./attach.js")).runAttached(context, action);
  const problems = [
    ...refuseNames(context),
    ...refuseSinkDatabases(context),
    ...(await refuseInput(context.loaded)),
  ];
  if (problems.length > 0) throw new UsageError(problems);
  try {
    return await runLoaded(context, loadRunnable(context));
  } catch (error) {
    if (!(error instanceof UsageError)) writeEnd(context, "FAILED", EXIT_FAILED, error);
    throw error;
  }
}

/** Opens the database while the graph is loading: the first file has to be visible soon. */
async function runLoaded(context: VerbContext, loading: Promise<RunnableGraph>): Promise<number> {
  loading.catch(() => undefined); // startJob reports it, unless the database fails first
  const database = await context.openDatabase();
  try {
    const started = await startJob(context, database, loading);
    if (started !== undefined) return await watchToItsEnd(context, started, database);
    writeEnd(context, "CANCELLED", 0);
    return 0;
  } finally {
    await database.close();
  }
}

async function watchToItsEnd(
  context: VerbContext,
  { job, metrics, pipeline }: StartedJob,
  database: OpenDatabase,
): Promise<number> {
  const monitor = monitorJob(context, { job, pipeline, database });
  try {
    return (await followJob(context, job, metrics)).exitCode;
  } finally {
    await monitor.close();
  }
}

async function refuseInput({ config, origins }: LoadedConfig): Promise<string[]> {
  const stats = await stat(config.input).catch(() => undefined);
  if (stats?.isDirectory()) return [];
  const from = origins.get("input")?.name ?? "default";
  const suggestion = stats === undefined ? await suggestFolder(config.input) : "";
  return [
    `input must be an existing folder, got ${JSON.stringify(config.input)} (from ${from}).${suggestion}`,
  ];
}

/** Under `--json` every run that began says how it ended, also one that never got a job. */
function writeEnd(context: VerbContext, state: string, exitCode: number, cause?: unknown): void {
  const { config } = context.loaded;
  if (!config.json) return;
  const error = cause === undefined ? null : redact(cause instanceof Error ? cause.message : String(cause));
  const end = { event: "end", pipeline: config.pipeline, state, exit_code: exitCode, error };
  context.stdout.write(`${JSON.stringify(end)}\n`);
}
