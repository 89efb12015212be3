/** Submits pipelines to a Beam job server (Spark, Flink, Prism), with workers of ours. */

import { Struct } from "apache-beam/proto/google/protobuf/struct";
import { JobState_Enum, Pipeline, Root, Runner, runnerApi } from "../../transforms/primitives/beam.js";
import type { Log } from "../../transforms/primitives/do-fn.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { checkFeatures } from "../graph/features.js";
import { graphProto } from "../graph/graph-proto.js";
import { startLoopbackWorkers } from "../harness/worker/loopback.js";
import { JobService } from "./job-service.js";
import { inExternalEnvironment, PORTABLE_FEATURES, withPlayableTestStreams } from "./portable-graph.js";
import { PortablePipelineResult } from "./portable-result.js";
import { stageArtifacts } from "./stage-artifacts.js";

export interface PortableRunnerOptions {
  /** `host:port` of the job server. */
  readonly jobEndpoint: string;
  /**
   * `loopback` (default): workers are threads of this process, and the job server must be on this machine.
   * `external`: those of the pool at `workerEndpoint`.
   */
  readonly environment?: "loopback" | "external";
  /** `host:port` of a pool (`npm run worker`), as the job server's machines reach it. */
  readonly workerEndpoint?: string;
  /** The pipeline's own modules, which register its DoFns: URLs, or paths from the working directory. */
  readonly modules?: readonly (string | URL)[];
  readonly jobName?: string;
  /** Beam's pipeline options by their names in snake case, e.g. `parallelism`, `checkpointing_interval`, `streaming`. */
  readonly pipelineOptions?: { readonly [name: string]: JsonValue };
  readonly log?: Log;
}

const OPTION_NAMES: ReadonlySet<string> = new Set([
  "jobEndpoint",
  "environment",
  "workerEndpoint",
  "modules",
  "jobName",
  "pipelineOptions",
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
    if (options.environment === "external" && !options.workerEndpoint) {
      throw new Error("the environment `external` needs a `workerEndpoint`, host:port of a worker pool");
    }
    this.#options = options;
  }

  /**
   * Runs the pipeline to its end.
   * @throws JobFailedError with the user's own error; JobServerError; UnsupportedFeatureError before anything runs
   */
  override async run(pipelineFn: (root: Root) => unknown): Promise<PortablePipelineResult> {
    const result = await this.runAsync(pipelineFn);
    const state = await result.waitUntilFinish();
    if (state === JobState_Enum.DONE || state === JobState_Enum.DRAINED) return result;
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
    const { log = noLog, modules = [], environment = "loopback", jobEndpoint } = this.#options;
    const service = new JobService(jobEndpoint);
    const closers: (() => unknown)[] = [() => service.close()];
    const release = async () => {
      for (const close of closers.splice(0).reverse()) await close();
    };
    try {
      await service.reach();
      let pool = this.#options.workerEndpoint;
      if (environment === "loopback") {
        const workers = await startLoopbackWorkers({ modules, log });
        closers.push(() => workers.stop());
        pool = workers.endpoint;
      }
      const jobId = await this.#submit(service, inExternalEnvironment(withPlayableTestStreams(proto), pool!));
      return new PortablePipelineResult(service, jobId, ({ level, text }) => log[level](text), release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #submit(service: JobService, pipeline: runnerApi.Pipeline): Promise<string> {
    const { jobName = `millrace-${Date.now().toString(36)}`, pipelineOptions = {} } = this.#options;
    const named = { app_name: jobName, job_name: jobName, ...endsWithItsInput(pipeline), ...pipelineOptions };
    const options = Object.fromEntries(
      Object.entries(named).map(([name, value]) => [`beam:option:${name}:v1`, value]),
    );
    const prepared = await service.prepare({ pipeline, jobName, pipelineOptions: Struct.fromJson(options) });
    const staging = prepared.artifactStagingEndpoint?.url;
    if (staging) await stageArtifacts(staging, prepared.stagingSessionToken);
    const { jobId } = await service.run(prepared.preparationId, "");
    return jobId;
  }
}

/**
 * With checkpoints Flink keeps a source that has ended, and with it the job, until somebody cancels it.
 * That is wanted where there is more to come only.
 */
function endsWithItsInput({ components }: runnerApi.Pipeline): { readonly [name: string]: JsonValue } {
  const isBounded = Object.values(components!.pcollections).every(
    (collection) => collection.isBounded === runnerApi.IsBounded_Enum.BOUNDED,
  );
  return isBounded ? { shutdown_sources_after_idle_ms: 0 } : {};
}
