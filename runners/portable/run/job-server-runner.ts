/** Runs a pipeline with a database on a job server, as part of a run that this process holds. */
import type { Pipeline, runnerApi } from "../../../transforms/primitives/beam.js";
import { describeGraph } from "../../graph/graph-differences.js";
import { graphProto } from "../../graph/graph-proto.js";
import { JOB_SERVER_SINK_PLACE, sinksOf } from "../../graph/sinks.js";
import type { Job } from "../../job/job.js";
import type { Runner, RunnerOptions } from "../../job/runner.js";
import { type PortableRunnerOptions, portableRunner } from "../portable-runner.js";
import { JobServerJob, type Submit } from "./job-server-job.js";
import { readSavepointNote, savepointUrl } from "./savepoint-note.js";

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
  /** Folder in which a stream that is drained leaves a savepoint (Flink). */
  readonly savepointDir?: string | undefined;
  /** Folder of the savepoint from which a stream goes on, if it is of the same graph (a cluster of Flink). */
  readonly fromSavepoint?: string | undefined;
  /** Finds or starts the job server. */
  connect(options: RunnerOptions): Promise<JobServerAddress>;
}

export class JobServerRunner implements Runner {
  constructor(readonly options: JobServerRunnerOptions) {}

  /** @throws SavepointError when the savepoint to go on from is of another graph; UnsafeSinkError */
  async run(pipeline: Pipeline | runnerApi.Pipeline, options: RunnerOptions): Promise<Job> {
    const { intervalMs, savepointDir, fromSavepoint } = this.options;
    const proto = graphProto(pipeline);
    const sinks = sinksOf(proto, JOB_SERVER_SINK_PLACE);
    const graph = describeGraph(proto);
    const after = fromSavepoint === undefined ? undefined : await readSavepointNote(fromSavepoint, graph);
    const savepoints = savepointDir === undefined ? undefined : { folder: savepointDir, graph };
    const isBounded = options.once || intervalMs !== undefined;
    let server: JobServerAddress | undefined;
    const submit: Submit = async (given, { run, earlierRunId }, { log }) => {
      server ??= await this.options.connect({ ...options, log });
      const { flinkRest, endpoint: jobEndpoint } = server;
      const jobName = (runId: string) => `${options.pipeline}-${runId.slice(0, 8)}`;
      const runner = portableRunner({
        ...this.options.portable,
        pipelineOptions: {
          ...this.options.portable.pipelineOptions,
          ...(fromSavepoint === undefined ? {} : { savepoint_path: savepointUrl(fromSavepoint) }),
        },
        ...(flinkRest === undefined ? {} : { flinkRest }),
        ...{ jobEndpoint, jobName: jobName(run.runId), log },
        after:
          earlierRunId === undefined ? undefined : { runId: earlierRunId, jobName: jobName(earlierRunId) },
        run: {
          ...{ pipeline: options.pipeline, runId: run.runId },
          mode: isBounded ? "available-now" : "stream",
        },
        workerEnvironment: options.workerEnvironment,
      });
      return runner.runPipeline(given);
    };
    const release = async () => {
      const left = server;
      server = undefined;
      await left?.stop();
    };
    const job = { ...options, intervalMs, savepoints, after, sinks };
    return new JobServerJob(pipeline, job, { submit, release });
  }
}
