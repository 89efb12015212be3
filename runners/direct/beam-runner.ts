/** The direct runner as a Beam runner: what `beam.Runner` promises, on this machine. */
import { inspect } from "node:util";
import type { SinkDatabases } from "../../sql/sink-databases.js";
import type { ConnectionConfig } from "../../sql/sql-session.js";
import { JobState_Enum, Pipeline, Root, Runner, type runnerApi } from "../../transforms/primitives/beam.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import type { LocalStoreOptions } from "../job/runner.js";
import { DirectRunner } from "./direct-runner.js";
import { DirectPipelineResult } from "./pipeline-result.js";

/** Every one may be given to the runner, and again to a run, which then counts. */
export interface DirectRunnerOptions {
  /** PostgreSQL, in which state, positions and what sinks write are committed. */
  readonly connection?: ConnectionConfig;
  /** Other databases that sinks name: `sinkDatabasesOf(process.env)`, or a map of one's own. */
  readonly sinkDatabases?: SinkDatabases;
  /**
   * A folder on a local disk in which state and positions are committed instead: the pipeline's own commit log, made if
   * it is not there. Without it and without a connection the job lives in memory.
   */
  readonly commitLogDir?: string;
  /** Name under which a job with a connection or a commit log keeps its state and positions; needed with either. */
  readonly pipelineName?: string;
  /** End with what the sources have now; by default an unbounded pipeline runs until drained or cancelled. */
  readonly once?: boolean;
  /** Terminate whoever else runs the pipeline of that name. */
  readonly takeover?: boolean;
  /** How long `once` puts up with a database that is away; by default 60 s. */
  readonly retryTimeoutMs?: number;
  /** Elements that sources emit into one bundle, at the most. */
  readonly bundleRecordsMax?: number;
  /** Elements that a stage is given in one bundle, at the most. */
  readonly bundleElementsMax?: number;
  /**
   * With a connection: where this machine keeps a view of the job's state, so that a start need not read all of it and
   * not all of it need be in memory; or, with `durability: "local"`, the only copy. Without it all is in memory.
   */
  readonly localStore?: LocalStoreOptions;
  readonly clock?: Clock;
  /** Gets the log lines, which `messages()` gives as well. */
  readonly log?: Log;
}

/** What `run` takes: a function that applies transforms to the root, and what it gives is not looked at. */
export type PipelineFn = (root: Root) => unknown;

const RETRY_TIMEOUT_MS = 60_000;
const UNNAMED = "pipeline";
const noLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Beam's direct runner for TypeScript: bounded and unbounded pipelines, with or without a database. */
export function directRunner(options: DirectRunnerOptions = {}): DirectBeamRunner {
  return new DirectBeamRunner(options);
}

export class DirectBeamRunner extends Runner {
  readonly #options: DirectRunnerOptions;

  constructor(options: DirectRunnerOptions) {
    super();
    this.#options = options;
  }

  /**
   * Runs the pipeline to its end.
   * @throws what made it fail: for an error of a DoFn, StepFailedError with step, method and `cause`
   * @throws UnsupportedFeatureError before the first element, naming all that this runner cannot run
   */
  override async run(pipelineFn: PipelineFn, options?: DirectRunnerOptions): Promise<DirectPipelineResult> {
    const result = await this.runAsync(pipelineFn, options);
    const state = await result.waitUntilFinish();
    if (state === JobState_Enum.DONE || state === JobState_Enum.DRAINED) return result;
    throw result.failure ?? new Error(`the pipeline ended ${JobState_Enum[state]}`);
  }

  /** Starts the pipeline. @throws UnsupportedFeatureError as `run` does */
  override async runAsync(
    pipelineFn: PipelineFn,
    options?: DirectRunnerOptions,
  ): Promise<DirectPipelineResult> {
    const pipeline = new Pipeline();
    await pipelineFn(new Root(pipeline));
    return this.runPipeline(pipeline, options);
  }

  /** Starts a pipeline that is built already. @throws UnsupportedFeatureError as `run` does */
  override async runPipeline(
    pipeline: Pipeline | runnerApi.Pipeline,
    options: DirectRunnerOptions = {},
  ): Promise<DirectPipelineResult> {
    const { pipelineName, ...all } = { ...given(this.#options), ...given(options) };
    mustBeWhole("bundleRecordsMax", all.bundleRecordsMax);
    mustBeWhole("bundleElementsMax", all.bundleElementsMax);
    mustHavePlace(pipelineName, all);
    const job = await new DirectRunner().run(pipeline, {
      retryTimeoutMs: RETRY_TIMEOUT_MS,
      once: false,
      takeover: false,
      clock: systemClock,
      log: noLog,
      ...all,
      pipeline: pipelineName ?? UNNAMED,
    });
    return new DirectPipelineResult(job);
  }
}

/** Without those that are undefined: an option that is not there has its default. */
function given(options: DirectRunnerOptions): DirectRunnerOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function mustHavePlace(
  pipelineName: string | undefined,
  { connection, commitLogDir }: DirectRunnerOptions,
): void {
  if (commitLogDir !== undefined && (typeof commitLogDir !== "string" || commitLogDir === ""))
    throw new Error(`\`commitLogDir\` must be the path of a folder, got ${inspect(commitLogDir)}`);
  if (connection !== undefined && commitLogDir !== undefined)
    throw new Error(
      "a direct runner commits in one place: give it a `connection` or a `commitLogDir`, not both",
    );
  const place = connection !== undefined ? "connection" : "commitLogDir";
  if ((connection ?? commitLogDir) === undefined || pipelineName !== undefined) return;
  throw new Error(
    `a direct runner with a \`${place}\` needs a \`pipelineName\`: its positions are kept under it`,
  );
}

function mustBeWhole(option: string, value: unknown): void {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 1)) return;
  throw new Error(`\`${option}\` must be a whole number of at least 1, got ${inspect(value)}`);
}
