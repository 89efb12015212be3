/** Runs a pipeline with a database on a job server, as part of a run that this process holds. */
import type { Pipeline, runnerApi } from "../../../transforms/primitives/beam.js";
import type { Job } from "../../job/job.js";
import type { Runner, RunnerOptions } from "../../job/runner.js";
import { type PortableRunnerOptions, portableRunner } from "../portable-runner.js";
import { JobServerJob, type Submit } from "./job-server-job.js";

/** A job server to submit to, until `stop`. */
export interface JobServerAddress {
  readonly endpoint: string;
  readonly flinkRest?: string | undefined;
  /** Ends it if it was started for this job; else does nothing. */
  stop(): Promise<void>;
}

export interface JobServerRunnerOptions {
  /** Everything about the submission but where, what and by whom. */
  readonly portable: Omit<
    PortableRunnerOptions,
    "jobEndpoint" | "jobName" | "log" | "run" | "workerEnvironment"
  >;
  /** A job of what is new, to its end, so often; without it one job for all of the run. */
  readonly intervalMs?: number | undefined;
  /** Finds or starts the job server. */
  connect(options: RunnerOptions): Promise<JobServerAddress>;
}

export class JobServerRunner implements Runner {
  constructor(readonly options: JobServerRunnerOptions) {}

  async run(pipeline: Pipeline | runnerApi.Pipeline, options: RunnerOptions): Promise<Job> {
    const { intervalMs } = this.options;
    const isBounded = options.once || intervalMs !== undefined;
    let server: JobServerAddress | undefined;
    const submit: Submit = async (graph, run, { log }) => {
      server ??= await this.options.connect({ ...options, log });
      const { flinkRest, endpoint: jobEndpoint } = server;
      const runner = portableRunner({
        ...this.options.portable,
        ...(flinkRest === undefined ? {} : { flinkRest }),
        ...{ jobEndpoint, jobName: `${options.pipeline}-${run.runId.slice(0, 8)}`, log },
        run: {
          ...{ pipeline: options.pipeline, runId: run.runId },
          mode: isBounded ? "available-now" : "stream",
        },
        workerEnvironment: options.workerEnvironment,
      });
      return runner.runPipeline(graph);
    };
    const release = async () => {
      const left = server;
      server = undefined;
      await left?.stop();
    };
    return new JobServerJob(pipeline, { ...options, intervalMs }, { submit, release });
  }
}
