/** A worker pool whose workers live in this thread, so that their DoFns may capture what a test sees. */
import { startHarness } from "../../../runners/harness/harness.js";
import { runWorker } from "../../../runners/harness/worker/run-worker.js";
import type { RunningWorker, WorkerEnd } from "../../../runners/harness/worker/running-worker.js";
import { serveWorkerPool, type WorkerPool } from "../../../runners/harness/worker/worker-pool.js";
import type { WorkerEndpoints } from "../../../runners/harness/worker/worker-spec.js";
import type { Log } from "../../../transforms/primitives/do-fn.js";

const WORKERS_MAX = 64;

/** Workers of job servers on this machine. All else of them is the real thing: provision, gRPC, the harness. */
export function startInThreadWorkers(log: Log): Promise<WorkerPool> {
  return serveWorkerPool({
    host: "127.0.0.1",
    port: 0,
    workersMax: WORKERS_MAX,
    fullMessage: `${WORKERS_MAX} workers run in this thread, which is the most`,
    log,
    start: startInThread,
  });
}

function startInThread(
  workerId: string,
  endpoints: WorkerEndpoints,
  log: Log,
  onRefused: (reason: string) => void,
): RunningWorker {
  const stopped = new AbortController();
  let job: string | undefined;
  const whenEnded: Promise<WorkerEnd> = runWorker({
    workerId,
    ...endpoints,
    root: process.cwd(),
    modules: [],
    takesStagedModules: false,
    log,
    signal: stopped.signal,
    startHarness,
    onRefused,
    onJob: (told) => {
      job = told;
    },
  }).then(
    () => ({ exitCode: 0, problem: undefined }),
    (error: Error) =>
      stopped.signal.aborted ? { exitCode: 0, problem: undefined } : { exitCode: 1, problem: error.message },
  );
  const stop = () => {
    stopped.abort();
    return whenEnded;
  };
  return {
    get job() {
      return job;
    },
    whenEnded,
    stop,
  };
}
