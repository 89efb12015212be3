/** LOOPBACK: workers in threads of the process that submits the pipeline. */
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { moduleUrl } from "./module-url.js";
import { STOP_GRACE_MS } from "./running-worker.js";
import { serveWorkerPool, type WorkerPool } from "./worker-pool.js";
import { harnessModule } from "./worker-spec.js";
import { startWorkerThread } from "./worker-thread.js";

export interface LoopbackOptions {
  /** The pipeline's own modules, which register its DoFns: URLs, or paths from the working directory. */
  readonly modules: readonly (string | URL)[];
  readonly log: Log;
  /** Variables of the workers' environment beside this process's own, e.g. which database to use. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** URL of another module that exports `startHarness`. */
  readonly harness?: string;
  readonly stopGraceMs?: number;
}

/** A job asks for `sdk_worker_parallelism` workers, no more. */
const LOOPBACK_WORKERS_MAX = 64;

/** Serves on this machine alone. A job server elsewhere needs workers that it can reach: a pool, or a container. */
export function startLoopbackWorkers(options: LoopbackOptions): Promise<WorkerPool> {
  const { log, harness = harnessModule, stopGraceMs = STOP_GRACE_MS } = options;
  const modules = options.modules.map(moduleUrl);
  return serveWorkerPool({
    host: "127.0.0.1",
    port: 0,
    workersMax: LOOPBACK_WORKERS_MAX,
    fullMessage: `${LOOPBACK_WORKERS_MAX} workers run in this process, which is the most`,
    log,
    start: (workerId, endpoints, ofWorker, onRefused) =>
      startWorkerThread(
        { workerId, ...endpoints, root: process.cwd(), modules, takesStagedModules: false, harness },
        { log: ofWorker, stopGraceMs, onRefused, environment: options.environment },
      ),
  });
}
