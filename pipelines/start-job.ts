/** From a configuration to a running job: database, schema, graph, runner. */

import { join } from "node:path";
import type { Job } from "../runners/job/job.js";
import type { Runner } from "../runners/job/runner.js";
import { ConnectionConfigError } from "../sql/connection-config.js";
import { sinkDatabasesOf } from "../sql/sink-databases.js";
import { openMetrics } from "./follow-job.js";
import type { OpenDatabase } from "./open-database.js";
import { type BuiltPipeline, refuseName } from "./registry.js";
import type { Reporter } from "./reporting/reporter.js";
import type { VerbContext } from "./verb.js";
import { waitForDatabase } from "./wait-for-database.js";

export interface RunnableGraph {
  readonly runner: Runner;
  readonly pipeline: BuiltPipeline;
}

export interface StartedJob {
  readonly job: Job;
  readonly metrics: Reporter;
  readonly pipeline: BuiltPipeline;
}

/**
 * Starts the job; undefined when a stop was requested before it ran. Follow it without awaiting
 * anything else first: what it commits before that is not reported.
 * @throws whatever the database or the runner has against it
 */
export async function startJob(
  context: VerbContext,
  database: OpenDatabase,
  loading: Promise<RunnableGraph>,
): Promise<StartedJob | undefined> {
  const { log, clock, loaded } = context;
  const {
    pipeline,
    input,
    runner: runnerName,
    once,
    drain,
    takeover,
    retryTimeout,
    epochRecordsMax,
    monitorSamples,
    stateDir,
    stateDurability,
    stateMemory,
  } = loaded.config;
  if (!(await prepareDatabase(context, database))) return undefined;
  const { runner, pipeline: built } = await loading;
  const metrics = await openMetrics(context, database.description);
  log.info(`${pipeline}: ${input} into ${database.description}, runner ${runnerName}`);
  const { connection, environment: workerEnvironment } = database;
  const options = {
    ...{ pipeline, connection, once, drainsAtEnd: drain, takeover, clock, log },
    retryTimeoutMs: retryTimeout,
    bundleRecordsMax: epochRecordsMax,
    samplesMax: monitorSamples,
    localStore: {
      directory: join(stateDir, "state"),
      durability: stateDurability,
      residentBytesMax: stateMemory,
    },
    ...{ client: built.client, workerEnvironment, sinkDatabases: sinkDatabasesOf(context.env) },
  };
  return { job: await runner.run(built.graph, options), metrics, pipeline: built };
}

/** What is wrong with the databases of sinks: the variable that cannot be read. */
export function refuseSinkDatabases({ env }: VerbContext): string[] {
  try {
    sinkDatabasesOf(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConnectionConfigError)) throw error;
    return [`database of sinks: ${error.message}`];
  }
}

/** What is wrong with the names of runner and pipeline: one line each. */
export function refuseNames({ loaded, parts }: VerbContext): string[] {
  const { config, origins } = loaded;
  const from = (path: string) => origins.get(path)?.name ?? "default";
  return [
    refuseName("runner", config.runner, parts.runners, from("runner")),
    refuseName("pipeline", config.pipeline, parts.pipelines, from("pipeline")),
  ].filter((problem) => problem !== undefined);
}

/** Loads runner and pipeline, and builds the graph; their names must have passed `refuseNames`. */
export async function loadRunnable({ loaded, parts }: VerbContext): Promise<RunnableGraph> {
  const { config } = loaded;
  const build = await parts.pipelines[config.pipeline]!();
  const pipeline = await build(config);
  const createRunner = await parts.runners[config.runner]!();
  return { runner: createRunner(config, pipeline), pipeline };
}

/**
 * Waits for the database and brings its schema up to date. False: a stop was requested first. The job migrates
 * too, in each of its sessions: it also runs without a command, and the database it comes back to may be another
 * than it left. Where nothing is missing that is one query.
 */
async function prepareDatabase(context: VerbContext, { connection }: OpenDatabase): Promise<boolean> {
  const { log, clock, parts, stop } = context;
  const { once, retryTimeout } = context.loaded.config;
  const schema = await parts.loadSchema();
  return waitForDatabase(() => schema.migrate(connection, log), {
    timeoutMs: once ? retryTimeout : undefined,
    isAway: (error) => schema.isAway(error),
    clock,
    log,
    signal: stop.requested,
  });
}
