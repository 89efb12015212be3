/** Runners on job servers: the one that is named, or one that is started for the job. */
import { type JobServerName, startJobServer } from "../runners/portable/job-servers/start-job-server.js";
import type { PortableRunnerOptions } from "../runners/portable/portable-runner.js";
import { type JobServerAddress, JobServerRunner } from "../runners/portable/run/job-server-runner.js";
import type { Log } from "../transforms/primitives/do-fn.js";
import type { Config } from "./config.js";
import type { BuiltPipeline, CreateRunner } from "./registry.js";
import { UsageError } from "./usage-error.js";

/** `portable` is whatever answers at `--job-endpoint`. */
export function onJobServer(name: JobServerName | "portable"): CreateRunner {
  return (config, pipeline) => {
    const problems = [
      ...refuseEndpoints(name, config),
      ...refuseStream(name, config),
      ...refuseOrder(name, config),
      ...refuseSavepoints(name, config),
      ...refuseSamples(name, config),
    ];
    if (problems.length > 0) throw new UsageError(problems);
    return new JobServerRunner({
      portable: portableOptions(name, config, pipeline),
      intervalMs: config.interval,
      savepointDir: config.savepointDir,
      fromSavepoint: config.fromSavepoint,
      connect: ({ log }) => connect(name, config, log),
    });
  };
}

function refuseEndpoints(name: string, { jobEndpoint, environment, workerEndpoint }: Config): string[] {
  const problems: string[] = [];
  if (name === "portable" && jobEndpoint === undefined)
    problems.push("--runner=portable needs a --job-endpoint, host:port of a job server");
  if (environment === "external" && workerEndpoint === undefined)
    problems.push("--environment=external needs a --worker-endpoint, host:port of a pool (npm run worker)");
  return problems;
}

/** Workers read all files at once, and of a repeated id the first in the order of discovery stays. */
function refuseOrder(name: string, { newestFirst, once, whenDone }: Config): string[] {
  const problems: string[] = [];
  if (newestFirst)
    problems.push(`--newest-first is not for --runner=${name}, whose workers read all files at once`);
  if (!once && whenDone !== "leave")
    problems.push(
      `--when-done=${whenDone} needs --once under --runner=${name}: a stream there leaves its files`,
    );
  return problems;
}

/** What a runner cannot do without an end. */
function refuseStream(name: string, { once, interval }: Config): string[] {
  if (once || interval !== undefined || name === "flink" || name === "portable") return [];
  const why = { spark: "Beam's Spark runner resumes no source", prism: "Prism keeps no checkpoints" };
  return [`--runner=${name} needs --once or --interval: ${why[name as "spark" | "prism"]}`];
}

/** Flink alone writes them, and only of a stream; Beam's job server passes over them for jobs that run in itself. */
function refuseSavepoints(name: string, config: Config): string[] {
  const { once, interval, savepointDir, fromSavepoint, jobServer } = config;
  const isStream = name === "flink" && !once && interval === undefined;
  const bare = Object.keys(config.jobOptions ?? {}).find((key) => /^savepoint_?path$/i.test(key));
  if (bare !== undefined) return [`take --from-savepoint, not ${bare} in --job-options: it is checked first`];
  const flags = [
    ...(savepointDir === undefined ? [] : ["--savepoint-dir"]),
    ...(fromSavepoint === undefined ? [] : ["--from-savepoint"]),
  ];
  if (!isStream) return flags.map((flag) => `${flag} is for a stream under --runner=flink`);
  const isCluster = config.flinkRest !== undefined || jobServer.flinkMaster !== undefined;
  return isCluster
    ? []
    : flags.map(
        (flag) =>
          `${flag} needs a cluster of Flink: --flink-rest with --job-endpoint, or jobServer.flinkMaster`,
      );
}

/** Its steps run in workers, which keep nothing for the page. */
function refuseSamples(name: string, { monitorSamples }: Config): string[] {
  return monitorSamples === 0
    ? []
    : [`--monitor-samples is for --runner=direct: the steps of --runner=${name} run in its workers`];
}

function portableOptions(
  name: string,
  config: Config,
  { modules = [] }: BuiltPipeline,
): JobServerRunner["options"]["portable"] {
  const { environment, workerEndpoint, flinkRest, jobOptions } = config;
  return {
    ...{ environment: environment as NonNullable<PortableRunnerOptions["environment"]>, modules },
    ...(workerEndpoint === undefined ? {} : { workerEndpoint }),
    ...(flinkRest === undefined ? {} : { flinkRest }),
    pipelineOptions: { ...defaultOptions(name, config), ...jobOptions },
  };
}

/** From a stage's last bundle to the next one's first; what Spark does in between needs no worker. */
const WORKERS_KEPT_MS = 60_000;

/** Spark in the job server's own process, which tries no task again. */
const LOCAL_MASTER = /^local(\[[^,\]]*\])?$/;

/**
 * Spark ends a job's worker with each stage, and asks for another one for the next, unless it is to keep them. Not on
 * a cluster, which tries a task again when its worker is gone, and would find that one kept each time; and not
 * containers, which nobody but the job server can end.
 */
function sparkKeepsWorkers({ jobEndpoint, jobServer, environment }: Config): boolean {
  const isLocal = jobEndpoint === undefined && LOCAL_MASTER.test(jobServer.sparkMasterUrl ?? "local");
  return isLocal && environment !== "docker";
}

/** How often a streaming job on Flink is checkpointed: what is read again after a failure is so much. */
const CHECKPOINT_MS = 1_000;

function defaultOptions(name: string, config: Config): PortableRunnerOptions["pipelineOptions"] {
  const { once, interval, streaming, parallelism } = config;
  const workers = { sdk_worker_parallelism: parallelism };
  if (name === "spark") {
    const kept = sparkKeepsWorkers(config) ? { environment_cache_millis: WORKERS_KEPT_MS } : {};
    return { ...workers, storage_level: "MEMORY_AND_DISK", ...kept };
  }
  if (name !== "flink") return workers;
  const isStreaming = streaming || (!once && interval === undefined);
  return {
    ...workers,
    parallelism,
    ...(isStreaming ? { streaming: true, checkpointing_interval: CHECKPOINT_MS } : {}),
  };
}

async function connect(
  name: JobServerName | "portable",
  { jobEndpoint, jobServer, flinkRest }: Config,
  log: Log,
): Promise<JobServerAddress> {
  if (jobEndpoint !== undefined || name === "portable") {
    return { endpoint: jobEndpoint!, flinkRest, stop: async () => undefined };
  }
  const masters = { spark: jobServer.sparkMasterUrl, flink: jobServer.flinkMaster, prism: undefined };
  log.info(`starting a ${name} job server`);
  const master = masters[name];
  const server = await startJobServer(name, { port: 0, master, heapBytes: jobServer.heap, log });
  // without a cluster the REST API behind the server's port is found, and is no reason to take a savepoint
  const clusterRest = master === undefined ? undefined : server.flinkRest;
  return { endpoint: server.endpoint, flinkRest: flinkRest ?? clusterRest, stop: () => server.stop() };
}
