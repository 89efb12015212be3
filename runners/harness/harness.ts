/** An SDK harness: runs the stages of a pipeline for a runner of another language, over Beam's Fn API. */
import "../../transforms/primitives/all-do-fns.js";
import type { ConnectionConfig } from "../../sql/sql-session.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { BrokenStreams } from "./broken-streams.js";
import { WorkerDatabase } from "./database/worker-database.js";
import type { WorkerRun } from "./database/worker-run.js";
import { ELEMENT_BYTES_MAX } from "./element-limit.js";
import { Instructions } from "./instructions.js";
import type { StageSurroundings } from "./stage-processor.js";
import { StageStates } from "./state/stage-states.js";
import { type ControlStream, openControl } from "./transport/control-stream.js";
import { GrpcDataPlane } from "./transport/data-plane.js";
import { LoggingStream } from "./transport/logging-stream.js";
import type { StreamLostError } from "./transport/runner-stream.js";
import { answerStatus } from "./transport/worker-status.js";

/** Of the runner: monitoring data comes by short id. */
const SHORT_IDS = "beam:protocol:monitoring_info_short_ids:v1";

export interface HarnessOptions {
  /** By which the runner knows the worker. */
  readonly workerId: string;
  /** `host:port` of the services; the data and state services are told with each stage. */
  readonly controlEndpoint: string;
  /** Absent: lines go to `log`. */
  readonly loggingEndpoint?: string | undefined;
  readonly statusEndpoint?: string | undefined;
  /** URNs that the runner says it understands. */
  readonly runnerCapabilities?: readonly string[];
  /** The pipeline's options as the runner tells them. */
  readonly pipelineOptions?: { readonly [name: string]: JsonValue };
  /** The run that the job is part of, and where its bundles are committed; without it, steps that ask for it fail. */
  readonly database?: { readonly connection: ConnectionConfig; readonly run: WorkerRun } | undefined;
  readonly clock?: Clock;
  readonly limits?: HarnessLimits;
  /** Takes a line that no runner takes. By default the error output. */
  readonly fallbackLog?: (line: string) => void;
  /** Called when a bundle was answered, however it ended. */
  readonly onBundle?: () => void;
  /** Fires when the worker is to stop. */
  readonly signal?: AbortSignal;
}

/** What may lie in memory of a worker, in bytes. */
export interface HarnessLimits {
  /** Of one element, group or message, which come and go as a whole; default 512 MiB. */
  readonly elementBytesMax?: number;
  /** Of one cell of state or one window of a side input; default 512 MiB. */
  readonly stateBytesMax?: number;
  /** Of state and side inputs that bundles leave to later ones; default 100 MiB, or as the job's options say. */
  readonly stateCacheBytesMax?: number;
}

export interface Harness {
  /**
   * Resolves when the runner has closed the control stream, or `stop` was called, and everything is torn down.
   * @throws StreamLostError when the control stream was lost, or a data or state stream that a bundle needs;
   * everything is torn down then too.
   */
  readonly whenDone: Promise<void>;
  /** Abandons what runs. Resolves when everything is torn down. */
  stop(): Promise<void>;
}

/** Begins to work. Elements, state and timers are never on disk: what a worker has not answered, it has not done. */
export function startHarness(options: HarnessOptions): Harness {
  const control = openControl(options.controlEndpoint, options.workerId);
  const whenDone = serve(control, options);
  whenDone.catch(() => undefined); // whoever waits is told
  const stop = async () => {
    control.close();
    await whenDone.catch(() => undefined);
  };
  if (options.signal?.aborted) void stop();
  else options.signal?.addEventListener("abort", () => void stop(), { once: true });
  return { whenDone, stop };
}

async function serve(control: ControlStream, options: HarnessOptions): Promise<void> {
  const { workerId, loggingEndpoint, statusEndpoint, runnerCapabilities = [] } = options;
  const fallback = options.fallbackLog ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const logging =
    loggingEndpoint === undefined ? undefined : new LoggingStream(loggingEndpoint, workerId, fallback);
  const { elementBytesMax = ELEMENT_BYTES_MAX, stateBytesMax, stateCacheBytesMax } = options.limits ?? {};
  const broken = new BrokenStreams(() => instructions.bundles.length > 0);
  const onLost = (error: StreamLostError) => broken.lost(error);
  const data = new GrpcDataPlane(workerId, { onLost });
  const cacheBytesMax = stateCacheBytesMax ?? cacheBytesOf(options.pipelineOptions);
  const states = new StageStates(workerId, { stateBytesMax, cacheBytesMax, onLost });
  const database = options.database && new WorkerDatabase(options.database.connection, options.database.run);
  const around: StageSurroundings = {
    pipeline: database?.run.pipeline ?? jobNameOf(options.pipelineOptions),
    mode: database?.run.mode ?? "stream",
    database,
    clock: options.clock ?? systemClock,
    data,
    logFor: (step) => logging?.of(step) ?? logTo(fallback, step),
    stateFor: (plan) => states.of(plan),
    shared: sharedValues(),
    elementBytesMax,
  };
  const instructions = new Instructions({
    around,
    fetchDescriptor: (id) => control.descriptor(id),
    shortIds: runnerCapabilities.includes(SHORT_IDS),
  });
  const status = statusEndpoint
    ? answerStatus(statusEndpoint, workerId, () => statusOf(instructions))
    : undefined;
  let end = new Error("the runner has closed the control stream");
  try {
    await Promise.race([answerAll(control, instructions, broken, options.onBundle), broken.whenNeeded]);
  } catch (error) {
    end = error as Error;
    throw error;
  } finally {
    const isTornDown = await instructions.close(end);
    if (!isTornDown) fallback("a DoFn is still running, although its bundle was abandoned");
    data.close();
    states.close();
    await database?.close();
    status?.close();
    await logging?.close();
    control.close();
  }
}

/** Bundles run beside one another, so no answer is waited for. */
async function answerAll(
  control: ControlStream,
  instructions: Instructions,
  broken: BrokenStreams,
  onBundle: () => void = () => undefined,
): Promise<void> {
  for (;;) {
    const request = await control.next();
    if (request === undefined) return;
    const respond = instructions.answer(request).then(async (response) => {
      await control.respond(response);
      if (request.request.oneofKind !== "processBundle") return;
      broken.answered();
      onBundle();
    });
    respond.catch(() => undefined); // an answer that cannot be given: the stream's end says it
  }
}

function statusOf(instructions: Instructions): string {
  const { heapUsed, rss } = process.memoryUsage();
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const bundles = instructions.bundles.join(", ") || "none";
  return `bundles: ${bundles}\nheap: ${megabytes(heapUsed)}, resident: ${megabytes(rss)}`;
}

/** The name under which the job was submitted. */
function jobNameOf(options: HarnessOptions["pipelineOptions"] = {}): string {
  const name = options["beam:option:job_name:v1"] ?? options["job_name"] ?? options["jobName"];
  return typeof name === "string" && name !== "" ? name : "pipeline";
}

/** Beam's option `max_cache_memory_usage_mb`. */
function cacheBytesOf(options: HarnessOptions["pipelineOptions"] = {}): number | undefined {
  const name = "max_cache_memory_usage_mb";
  const megabytes = options[`beam:option:${name}:v1`] ?? options[name];
  if (megabytes === undefined || megabytes === null) return undefined;
  const number = Number(megabytes); // runners tell numbers as texts, too
  if (number >= 0) return number * (1 << 20);
  throw new Error(`pipeline option ${name} must be a number from 0, got ${JSON.stringify(megabytes)}`);
}

/** Values that all instances of a step share, made when first asked for. */
function sharedValues(): StageSurroundings["shared"] {
  const values = new Map<string, unknown>();
  return <T>(step: string, name: string, create: () => T): T => {
    const key = `${step}\0${name}`;
    if (!values.has(key)) values.set(key, create());
    return values.get(key) as T;
  };
}

function logTo(line: (text: string) => void, step: string): Log {
  const at = (level: string) => (message: string, facts?: Record<string, unknown>) =>
    line(`${level} [${step}] ${message}${facts === undefined ? "" : ` ${Object.keys(facts).join(", ")}`}`);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
