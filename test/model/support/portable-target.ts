/** The job server that the scenarios of this process run on, if they do not run on the direct runner. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkerPool } from "../../../runners/harness/worker/worker-pool.js";
import {
  type JobServerName,
  type RunningJobServer,
  startJobServer,
} from "../../../runners/portable/job-servers/start-job-server.js";
import type { PortablePipelineResult } from "../../../runners/portable/portable-result.js";
import { portableRunner } from "../../../runners/portable/portable-runner.js";
import { JobState_Enum, type Root } from "../../../transforms/primitives/beam.js";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import type { JsonValue } from "../../../transforms/primitives/fn-registry.js";
import { startInThreadWorkers } from "./in-thread-workers.js";
import type { ModelFeature } from "./model-features.js";
import { type PortableTargetName, portableTarget } from "./portable-targets.js";

/** How long a job of a scenario may take. The first one of a server starts it. */
const CANCEL_MS_MAX = 10_000;
const JOB_MS_MAX = 100_000;

interface Submission {
  readonly server: JobServerName;
  readonly pipelineOptions: { readonly [name: string]: JsonValue };
}

/** On Flink a bundle under way holds the watermark back: a script's elements and watermarks come one by one without. */
const ONE_BY_ONE = { max_bundle_size: 1 };

const submissions: Record<PortableTargetName, Submission> = {
  prism: { server: "prism", pipelineOptions: { experiments: ["prism_disable_rtc"] } },
  spark: { server: "spark", pipelineOptions: {} },
  flink: { server: "flink", pipelineOptions: { ...ONE_BY_ONE, parallelism: 1 } },
  "flink-streaming": {
    server: "flink",
    pipelineOptions: {
      ...ONE_BY_ONE,
      ...{ parallelism: 1, streaming: true, checkpointing_interval: 1_000 },
      // a scenario's source ends, also one that says it is unbounded
      shutdown_sources_after_idle_ms: 0,
    },
  },
};

/** Keeps the last lines, for the message of a scenario that fails. */
class KeptLog implements Log {
  readonly lines: string[] = [];
  readonly debug = (line: string) => this.#keep(line);
  readonly info = (line: string) => this.#keep(line);
  readonly warn = (line: string) => this.#keep(`warn: ${line}`);
  readonly error = (line: string) => this.#keep(`error: ${line}`);

  #keep(line: string): void {
    if (process.env["MILLRACE_MODEL_LOG"]) process.stderr.write(`${line}\n`);
    this.lines.push(line);
    if (this.lines.length > 50) this.lines.shift();
  }
}

interface Running {
  readonly server: RunningJobServer;
  readonly workers: WorkerPool;
  readonly log: KeptLog;
}

let running: Promise<Running> | undefined;
/** Jobs that nobody has seen the end of. */
const jobs = new Set<PortablePipelineResult>();

let scenarioOptions: Submission["pipelineOptions"] = {};

/** What follows belongs to a scenario that shows these features. */
export function beginScenario(features: readonly ModelFeature[]): void {
  // Beam's Flink runner cannot checkpoint side inputs ("KV cannot be cast to class … WindowedValue")
  const hasSideInput = features.some((feature) => feature.endsWith("side input"));
  const isStreaming = portableTarget === "flink-streaming";
  scenarioOptions = hasSideInput && isStreaming ? { checkpointing_interval: -1 } : {};
}

/** Submits a pipeline to the server of this process, which is started for the first one. */
export async function submit(build: (root: Root) => unknown): Promise<PortablePipelineResult> {
  const { server: name, pipelineOptions: targetOptions } = submissions[portableTarget!];
  const pipelineOptions = { ...targetOptions, ...scenarioOptions };
  running ??= start(name);
  const { server, workers, log } = await running;
  const runner = portableRunner({
    jobEndpoint: server.endpoint,
    environment: "external",
    workerEndpoint: workers.endpoint,
    pipelineOptions,
    log,
  });
  const result = await runner.runAsync(build);
  jobs.add(result);
  return result;
}

/** @throws when the job has not ended in time: then it is cancelled; or what made it fail. */
export async function succeed(result: PortablePipelineResult): Promise<void> {
  await result.waitUntilFinish(JOB_MS_MAX);
  const { state } = result;
  if (state === JobState_Enum.DONE) return;
  if (state === JobState_Enum.FAILED) throw result.failure;
  throw new Error(`the job is ${JobState_Enum[state]} after ${JOB_MS_MAX / 1_000} s`);
}

/** Ends the jobs that a scenario has left. */
export async function cancelJobs(): Promise<void> {
  for (const job of jobs) {
    jobs.delete(job);
    if (isTerminal(job.state)) continue;
    await Promise.race([job.cancel(), sleep(CANCEL_MS_MAX)]).catch(() => undefined);
    if (!isTerminal(job.state) || portableTarget === "spark") await stopTarget(); // its one SparkContext is taken
  }
}

function isTerminal(state: JobState_Enum): boolean {
  const { DONE, FAILED, CANCELLED, DRAINED } = JobState_Enum;
  return [DONE, FAILED, CANCELLED, DRAINED].includes(state);
}

/** Ends the server and its workers, if they were started. */
export async function stopTarget(): Promise<void> {
  const started = await running?.catch(() => undefined);
  running = undefined;
  await started?.server.stop();
  await started?.workers.stop();
}

async function start(name: JobServerName): Promise<Running> {
  const log = new KeptLog();
  const workers = await startInThreadWorkers(log);
  const server = await startJobServer(name, { port: 0, log });
  // one that a job has broken takes nothing but that job's scenario with it
  void server.whenEnded.then((how) => {
    if (how === undefined) return;
    running = undefined;
    process.stderr.write(`the ${name} job server ${how}\n`);
    void workers.stop();
  });
  return { server, workers, log };
}

/** The last lines of the server and its workers. */
export async function lastLines(): Promise<string> {
  const started = await running?.catch(() => undefined);
  return started?.log.lines.splice(0).join("\n") ?? "";
}
