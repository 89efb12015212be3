/** EXTERNAL: a pool that forks a process for each worker. */
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { STOP_GRACE_MS } from "./running-worker.js";
import { serveWorkerPool, type WorkerPool } from "./worker-pool.js";
import { startWorkerProcess } from "./worker-process.js";
import { harnessModule } from "./worker-spec.js";

export interface ProcessPoolOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** How many workers may run at a time. */
  readonly processes: number;
  /** Absolute path of the package whose modules and node_modules the workers use. */
  readonly root: string;
  /** URLs of modules that every worker imports, beside those that a job has staged. */
  readonly modules: readonly string[];
  /** Variables of the workers' environment beside this process's own, e.g. which database to use. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly log: Log;
  /** URL of another module that exports `startHarness`. */
  readonly harness?: string;
  readonly stopGraceMs?: number;
}

/** Beyond the worker's own grace time for its thread. */
const PROCESS_GRACE_MS = STOP_GRACE_MS + 1_000;

/** @throws when the address is taken */
export function startProcessPool(options: ProcessPoolOptions): Promise<WorkerPool> {
  const { host, port, processes, root, modules, log } = options;
  const { harness = harnessModule, stopGraceMs = PROCESS_GRACE_MS } = options;
  return serveWorkerPool({
    host,
    port,
    workersMax: processes,
    fullMessage:
      `all places of this pool are taken (--processes=${processes}): ` +
      `start it with more, or the job with a lower sdk_worker_parallelism`,
    log,
    start: (workerId, endpoints, ofWorker, onRefused) =>
      startWorkerProcess(
        { workerId, ...endpoints, root, modules, takesStagedModules: true, harness },
        { log: ofWorker, stopGraceMs, onRefused, environment: options.environment },
      ),
  });
}
