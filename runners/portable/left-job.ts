/** Ends what a run that is over has left on a job server: a job whose client was killed goes on there. */
import { setTimeout as sleep } from "node:timers/promises";
import { Struct } from "apache-beam/proto/google/protobuf/struct";
import type { Log } from "../../transforms/primitives/do-fn.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { readRunOption } from "../harness/database/worker-run.js";
import { JOB_OPTION } from "../harness/worker/stop-job.js";
import { type FlinkRest, FlinkRestError } from "./flink-rest.js";
import { CANCEL_MS_MAX, isTerminal, JobServerError, type JobService } from "./job-service.js";
import type { JobWorkers } from "./job-workers.js";

/** The run before this one. */
export interface EarlierRun {
  readonly runId: string;
  /** Under which its job was submitted. */
  readonly jobName: string;
}

export interface LeftOn {
  readonly service: JobService;
  /** Of a cluster that outlives its job server. */
  readonly cluster: FlinkRest | undefined;
  readonly workers: Pick<JobWorkers, "stopLeft">;
  readonly log: Log;
}

const POLL_MS = 100;

/**
 * Cancels the jobs of a run, and waits until they have ended; one that does not end in time is told of, and left. The
 * run must be fenced in its database: its workers may have bundles in hand.
 */
export async function endLeftJob({ runId, jobName }: EarlierRun, on: LeftOn): Promise<void> {
  const { service, cluster, workers, log } = on;
  if (cluster !== undefined) await cancelOnCluster(cluster, jobName, log);
  for (const { jobId, options } of await liveJobs(service)) {
    if (runOf(options) !== runId) continue;
    log.warn(`cancelling job "${jobId}", left on the job server by an earlier run`);
    await service.cancel(jobId);
    const job = options[JOB_OPTION];
    if (typeof job === "string") await workers.stopLeft(job);
    await untilEnded(jobId, service, log);
  }
}

async function cancelOnCluster(cluster: FlinkRest, jobName: string, log: Log): Promise<void> {
  try {
    if (await cluster.cancelLeft(jobName))
      log.warn(`cancelled job "${jobName}", left on Flink by an earlier run`);
  } catch (error) {
    if (!(error instanceof FlinkRestError)) throw error;
    log.warn(`nobody looked for what an earlier run may have left on Flink: ${error.message}`);
  }
}

type Options = { readonly [name: string]: JsonValue };

async function liveJobs(service: JobService): Promise<{ jobId: string; options: Options }[]> {
  try {
    const jobs = (await service.jobs()).filter(({ state }) => !isTerminal(state));
    return jobs.map(({ jobId, pipelineOptions }) => ({
      jobId,
      options: pipelineOptions === undefined ? {} : (Struct.toJson(pipelineOptions) as Options),
    }));
  } catch (error) {
    if (error instanceof JobServerError && error.status === "UNIMPLEMENTED") return [];
    throw error;
  }
}

/** Undefined for a job of somebody else. */
function runOf(options: Options): string | undefined {
  try {
    return readRunOption(options)?.runId;
  } catch {
    return undefined; // a later version's, which is not the run before this one
  }
}

async function untilEnded(jobId: string, service: JobService, log: Log): Promise<void> {
  const deadlineMs = performance.now() + CANCEL_MS_MAX;
  while (!isTerminal(await service.state(jobId))) {
    if (performance.now() >= deadlineMs) {
      log.warn(`job "${jobId}" is still there ${CANCEL_MS_MAX / 1000} s after it was cancelled`);
      return;
    }
    await sleep(POLL_MS);
  }
}
