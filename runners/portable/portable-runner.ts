/** Submits pipelines to a Beam job server (Spark, Flink, Prism), with workers of ours. */

import { randomUUID } from "node:crypto";
import { Struct } from "apache-beam/proto/google/protobuf/struct";
import { JobState_Enum, Pipeline, Root, Runner, type runnerApi } from "../../transforms/primitives/beam.js";
import type { Log } from "../../transforms/primitives/do-fn.js";
import { checkFeatures } from "../graph/features.js";
import { graphProto } from "../graph/graph-proto.js";
import { JOB_SERVER_SINK_PLACE, sinksOf, sinkText } from "../graph/sinks.js";
import { RUN_OPTION, toRunOption, type WorkerRun } from "../harness/database/worker-run.js";
import { JOB_OPTION } from "../harness/worker/stop-job.js";
import type { Artifact } from "./artifact.js";
import { FlinkRest, restPortsBehind } from "./flink-rest.js";
import { withFlattensOfWorkers, withFusibleFlattens } from "./fusible-flattens.js";
import { JobService } from "./job-service.js";
import { checkWorkersOptions, type EnvironmentName, prepareWorkers } from "./job-workers.js";
import { type EarlierRun, endLeftJob } from "./left-job.js";
import {
  type DescribedOptions,
  optionUrns,
  type PipelineOptions,
  serverOptions,
} from "./pipeline-options.js";
import {
  inEnvironment,
  PORTABLE_FEATURES,
  withFinalizingStepsFirst,
  withPlayableTestStreams,
} from "./portable-graph.js";
import { type JobLine, PortablePipelineResult } from "./portable-result.js";
import { checkForServer, isUnbounded, type ServerKind, serverKind } from "./server-limits.js";
import { stageArtifacts } from "./stage-artifacts.js";

export interface PortableRunnerOptions {
  /** `host:port` of the job server. */
  readonly jobEndpoint: string;
  /**
   * `loopback` (default): workers are threads of this process, and the job server must be on this machine.
   * `external`: those of the pool at `workerEndpoint`. `docker`: the job server starts containers of `image`.
   */
  readonly environment?: EnvironmentName;
  /** `host:port` of a pool (`npm run worker`), as the job server's machines reach it. */
  readonly workerEndpoint?: string;
  /** Container image with Millrace's worker, by default `millrace-worker`. */
  readonly image?: string;
  /**
   * The pipeline's own modules, which register its DoFns: URLs, or paths from the working directory. Workers in other
   * processes fetch them, with the files that they import by relative paths.
   */
  readonly modules?: readonly (string | URL)[];
  readonly jobName?: string;
  /** Beam's pipeline options by name, e.g. `parallelism`, `checkpointing_interval` (ms), `streaming`; also in camel case. */
  readonly pipelineOptions?: PipelineOptions;
  /**
   * `host:port` or `host:first-last` of Flink's own REST API, which alone can really cancel a job, drain it, and write
   * savepoints. Not needed for `npm run job-server -- flink` without a cluster.
   */
  readonly flinkRest?: string;
  /** The run of a pipeline with a database that the job is part of; its workers write as that run alone. */
  readonly run?: WorkerRun | undefined;
  /**
   * The run before that one, which is over: what it has left on the server, as when its client was killed, is
   * cancelled before the job is submitted. It could not write any more, but takes the server's place.
   */
  readonly after?: EarlierRun | undefined;
  /** Variables of the environment of workers in this process, e.g. which database to use. */
  readonly workerEnvironment?: Readonly<Record<string, string>> | undefined;
  readonly log?: Log;
}

const OPTION_NAMES: ReadonlySet<string> = new Set([
  "jobEndpoint",
  "environment",
  "workerEndpoint",
  "image",
  "modules",
  "jobName",
  "pipelineOptions",
  "flinkRest",
  "run",
  "after",
  "workerEnvironment",
  "log",
]);

const noLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A Beam runner that runs on a job server. @throws when an option is unknown, or one that is needed is missing. */
export function portableRunner(options: PortableRunnerOptions): PortableRunner {
  return new PortableRunner(options);
}

export class PortableRunner extends Runner {
  readonly #options: PortableRunnerOptions;
  readonly #flinkRest: FlinkRest | undefined;
  constructor(options: PortableRunnerOptions) {
    super();
    const unknown = Object.keys(options).filter((name) => !OPTION_NAMES.has(name));
    if (unknown.length > 0) {
      throw new Error(
        `unknown options of the portable runner: ${unknown.join(", ")} (it knows ${[...OPTION_NAMES].join(", ")})`,
      );
    }
    if (!options.jobEndpoint)
      throw new Error("the portable runner needs a `jobEndpoint`, host:port of a job server");
    checkWorkersOptions(options);
    this.#options = options;
    this.#flinkRest = options.flinkRest === undefined ? undefined : new FlinkRest(options.flinkRest);
  }

  /**
   * Runs the pipeline to its end.
   * @throws JobFailedError with the user's own error; JobServerError; before anything runs UnsupportedFeatureError,
   * UnsafeSinkError, PipelineOptionsError, ModuleFilesError
   */
  override async run(pipelineFn: (root: Root) => unknown): Promise<PortablePipelineResult> {
    const result = await this.runAsync(pipelineFn);
    const state = await result.waitUntilFinish();
    if (hasComeToItsEnd(state)) return result;
    throw result.failure ?? new Error(`job "${result.jobId}" ended ${JobState_Enum[state]}`);
  }

  override async runAsync(pipelineFn: (root: Root) => unknown): Promise<PortablePipelineResult> {
    const pipeline = new Pipeline();
    await pipelineFn(new Root(pipeline));
    return this.runPipeline(pipeline);
  }

  /** Submits a pipeline that is built already. */
  override async runPipeline(pipeline: Pipeline | runnerApi.Pipeline): Promise<PortablePipelineResult> {
    const proto = graphProto(pipeline);
    checkFeatures(proto, { runner: "portable", supported: PORTABLE_FEATURES });
    const sinks = sinksOf(proto, JOB_SERVER_SINK_PLACE);
    const { log = noLog, jobEndpoint, jobName = `millrace-${Date.now().toString(36)}` } = this.#options;
    // of a run with a database, whoever holds it has said so
    if (this.#options.run === undefined) for (const sink of sinks) log.info(sinkText(sink));
    const job = randomUUID();
    const service = new JobService(jobEndpoint);
    const closers: ((state?: JobState_Enum) => unknown)[] = [() => service.close()];
    const release = async (state?: JobState_Enum) => {
      for (const close of closers.splice(0).reverse()) await close(state);
    };
    try {
      await service.reach();
      const described = await service.options();
      const kind = serverKind(described);
      const options = this.#optionsFor(kind, described, { proto, jobName });
      const workers = await prepareWorkers(this.#options, log);
      closers.push(() => workers.release());
      const submission = { jobName, options, job, artifacts: workers.artifacts };
      if (this.#options.after !== undefined) {
        await endLeftJob(this.#options.after, { service, cluster: this.#flinkRest, workers, log });
      }
      const graph = inEnvironment(graphFor(kind, withPlayableTestStreams(proto)), workers.environment);
      const jobId = await this.#submit(service, graph, submission);
      const areKept = Number(options[WORKERS_KEPT_OPTION] ?? 0) > 0;
      closers.push((state) => (hasComeToItsEnd(state) && !areKept ? undefined : workers.stopLeft(job)));
      const onLine = ({ level, text }: JobLine) => log[level](text);
      return new PortablePipelineResult({
        service,
        jobId,
        jobName,
        flink: this.#flinkFor(kind),
        onLine,
        release,
      });
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Ours, then those that the user gives. @throws PipelineOptionsError; UnsupportedFeatureError */
  #optionsFor(
    kind: ServerKind,
    described: DescribedOptions,
    { proto: pipeline, jobName }: { readonly proto: runnerApi.Pipeline; readonly jobName: string },
  ): PipelineOptions {
    const { pipelineOptions = {}, log = noLog } = this.#options;
    const options = {
      ...{ app_name: jobName, job_name: jobName },
      ...(kind === "flink" ? flinkDefaults(pipeline) : {}),
      ...serverOptions(pipelineOptions, described),
    };
    const hasFlinkRest = this.#flinkRest !== undefined;
    for (const warning of checkForServer(kind, pipeline, options, hasFlinkRest)) log.warn(warning);
    return options;
  }

  /** Of a job server that Millrace has started, it lies behind that one's port. */
  #flinkFor(kind: ServerKind): FlinkRest | undefined {
    if (this.#flinkRest !== undefined) return this.#flinkRest;
    const { jobEndpoint } = this.#options;
    if (kind !== "flink") return undefined;
    const at = jobEndpoint.lastIndexOf(":");
    return new FlinkRest(`${jobEndpoint.slice(0, at)}:${restPortsBehind(Number(jobEndpoint.slice(at + 1)))}`);
  }

  async #submit(service: JobService, pipeline: runnerApi.Pipeline, submission: Submission): Promise<string> {
    const { jobName, options, job, artifacts } = submission;
    const { run } = this.#options;
    const pipelineOptions = Struct.fromJson({
      ...optionUrns(options),
      [JOB_OPTION]: job,
      ...(run === undefined ? {} : { [RUN_OPTION]: toRunOption(run) }),
    });
    const prepared = await service.prepare({ pipeline, jobName, pipelineOptions });
    const staging = prepared.artifactStagingEndpoint?.url;
    if (staging) await stageArtifacts(staging, prepared.stagingSessionToken, artifacts);
    const { jobId } = await service.run(prepared.preparationId, "");
    return jobId;
  }
}

interface Submission {
  readonly jobName: string;
  readonly options: PipelineOptions;
  /** By which the job's workers know it. */
  readonly job: string;
  readonly artifacts: readonly Artifact[];
}

function hasComeToItsEnd(state: JobState_Enum | undefined): boolean {
  return state === JobState_Enum.DONE || state === JobState_Enum.DRAINED;
}

/**
 * With checkpoints Flink keeps a source that has ended, and with it the job, until somebody cancels it: that is wanted
 * only where there is more to come. What a bundle emits while a checkpoint is taken Beam's runner holds back until
 * something else comes, which behind an Impulse is never; so bundles are finished first.
 */
function flinkDefaults(pipeline: runnerApi.Pipeline): PipelineOptions {
  const ending = isUnbounded(pipeline) ? {} : { shutdown_sources_after_idle_ms: 0 };
  return { finish_bundle_before_checkpointing: true, ...ending };
}

/** With it a job server leaves a job's workers for its next stage, and the last ones to whoever has submitted it. */
const WORKERS_KEPT_OPTION = "environment_cache_millis";

/** With what each server's own ways of fusing steps ask for. */
function graphFor(kind: ServerKind, proto: runnerApi.Pipeline): runnerApi.Pipeline {
  if (kind === "other") return proto;
  return kind === "prism"
    ? withFinalizingStepsFirst(withFlattensOfWorkers(proto))
    : withFusibleFlattens(proto);
}
