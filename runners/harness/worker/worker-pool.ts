/** The service by which a runner starts and stops workers (Beam's EXTERNAL environment). */
import { Server, ServerCredentials, type ServerUnaryCall } from "@grpc/grpc-js";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { urlOf } from "./provision.js";
import type { RunningWorker, WorkerEnd } from "./running-worker.js";
import { StartedWorkers } from "./started-workers.js";
import { JOB_METADATA } from "./stop-job.js";
import {
  beamFnExternalWorkerPoolDefinition,
  type IBeamFnExternalWorkerPool,
  type StartWorkerRequest,
} from "./worker-grpc.js";
import { inOneLine } from "./worker-messages.js";
import type { WorkerEndpoints } from "./worker-spec.js";

export interface WorkerPoolOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** How many workers may run at a time; a further one is refused with `fullMessage`. */
  readonly workersMax: number;
  readonly fullMessage: string;
  readonly log: Log;
  start(
    workerId: string,
    endpoints: WorkerEndpoints,
    log: Log,
    onRefused: (reason: string) => void,
  ): RunningWorker;
}

export interface WorkerPool {
  /** `host:port`, as a runner is told it. */
  readonly endpoint: string;
  /** Stops all workers, each with its grace time, and the service. */
  stop(): Promise<void>;
}

/** @throws when the address is taken */
export async function serveWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const workers = new StartedWorkers();
  let isStopping = false;
  const server = new Server();
  const service: IBeamFnExternalWorkerPool = {
    startWorker: (call, answer) => {
      const error = isStopping ? "this worker pool is stopping" : startWorker(call, workers, options);
      if (error !== "") options.log.warn(error);
      answer(null, { error });
    },
    stopWorker: (call, answer) => {
      const [job] = call.metadata.get(JOB_METADATA);
      if (job !== undefined) {
        const ended = Promise.all(workers.ofJob(String(job)).map((one) => one.stop()));
        return void ended.then(() => answer(null, { error: "" }));
      }
      const worker = workers.takeForStop(call.request.workerId, call.getPeer());
      // it may have ended already, with its control stream: that is how a job ends
      if (worker === undefined) answer(null, { error: "" });
      else void worker.stop().then(() => answer(null, { error: "" }));
    },
  };
  server.addService(beamFnExternalWorkerPoolDefinition, service);
  const port = await bind(server, options.host, options.port);
  return {
    endpoint: `${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    stop: async () => {
      isStopping = true;
      await Promise.all(workers.running().map((worker) => worker.stop()));
      server.forceShutdown();
    },
  };
}

/** The error to answer; empty when it was started. */
function startWorker(
  call: ServerUnaryCall<StartWorkerRequest, unknown>,
  workers: StartedWorkers,
  { workersMax, fullMessage, log, start }: WorkerPoolOptions,
): string {
  const { workerId, ...endpoints } = call.request;
  const given: WorkerEndpoints = {
    provisionEndpoint: urlOf(endpoints.provisionEndpoint),
    controlEndpoint: urlOf(endpoints.controlEndpoint),
    loggingEndpoint: urlOf(endpoints.loggingEndpoint),
    artifactEndpoint: urlOf(endpoints.artifactEndpoint),
  };
  const runner = given.controlEndpoint ?? given.provisionEndpoint;
  if (runner === undefined) return `worker ${workerId} was given neither control nor provision endpoint`;
  if (workers.isRunning(workerId, runner)) return `worker ${workerId} of ${runner} runs already`;
  if (workers.running().length >= workersMax) return `worker ${workerId} was not started: ${fullMessage}`;
  const ofWorker = prefixed(log, `worker ${workerId} of ${runner}: `);
  try {
    const worker = start(workerId, given, ofWorker, (reason) =>
      ofWorker.error(`the runner is told: ${reason}`),
    );
    workers.add({ workerId, runner, peer: call.getPeer(), worker });
    void worker.whenEnded.then((end) => logEnd(end, ofWorker));
    log.info(`worker ${workerId} started for ${runner}`);
    return "";
  } catch (error) {
    return `worker ${workerId} was not started: ${inOneLine(error)}`;
  }
}

function logEnd({ problem }: WorkerEnd, log: Log): void {
  if (problem === undefined) log.info("ended");
  else log.error(problem);
}

function prefixed(log: Log, prefix: string): Log {
  return {
    debug: (message, facts) => log.debug(prefix + message, facts),
    info: (message, facts) => log.info(prefix + message, facts),
    warn: (message, facts) => log.warn(prefix + message, facts),
    error: (message, facts) => log.error(prefix + message, facts),
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else
        reject(new Error(`the worker pool cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}
