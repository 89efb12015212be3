/** DOCKER: the one worker of a container, from its flags to its exit code. */
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { type BootFlags, BootFlagsError, readBootFlags } from "./boot-flags.js";
import { STOP_GRACE_MS } from "./running-worker.js";
import { harnessModule } from "./worker-spec.js";
import { startWorkerThread } from "./worker-thread.js";

export interface BootOptions {
  /** Absolute path of the package whose modules and node_modules the worker uses. */
  readonly root: string;
  /** URLs of modules that the worker imports, beside those that the job has staged. */
  readonly modules: readonly string[];
  readonly log: Log;
  /** Fires when the container is to end. */
  readonly signal: AbortSignal;
  readonly stopGraceMs?: number;
  readonly lingerMs?: number;
}

/**
 * How long the container outlives its worker. Java's runners kill it after they have closed the control stream, and
 * remove it only when that succeeds: one that has ended by itself would be left behind.
 */
const LINGER_MS = 15_000;

/** 0: the runner had no more work, or the container was stopped; 1: the worker failed; 2: the flags are wrong. */
export async function bootWorker(argv: readonly string[], options: BootOptions): Promise<0 | 1 | 2> {
  const { root, modules, log, signal, stopGraceMs = STOP_GRACE_MS, lingerMs = LINGER_MS } = options;
  let flags: BootFlags;
  try {
    flags = readBootFlags(argv);
  } catch (error) {
    if (!(error instanceof BootFlagsError)) throw error;
    for (const problem of error.problems) log.error(problem);
    return 2;
  }
  if (signal.aborted) return 0;
  const worker = startWorkerThread(
    { ...flags, root, modules, takesStagedModules: true, harness: harnessModule },
    { log, stopGraceMs, onRefused: (reason) => log.error(`the runner is told: ${reason}`) },
  );
  log.info(`worker ${flags.workerId} started for ${flags.controlEndpoint ?? flags.provisionEndpoint}`);
  const stop = () => void worker.stop();
  signal.addEventListener("abort", stop, { once: true });
  const { exitCode, problem } = await worker.whenEnded;
  signal.removeEventListener("abort", stop);
  if (problem === undefined) log.info("ended");
  else log.error(problem);
  const hasMetRunner = exitCode === 0 || worker.job !== undefined;
  if (hasMetRunner && !signal.aborted) await untilFired(signal, lingerMs);
  return exitCode === 0 ? 0 : 1;
}

function untilFired(signal: AbortSignal, msMax: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, msMax);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(late);
        resolve();
      },
      { once: true },
    );
  });
}
