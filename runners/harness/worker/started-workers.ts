/** The workers of a pool, and which of them a StopWorker means. */
import type { RunningWorker } from "./running-worker.js";

export interface StartedWorker {
  readonly workerId: string;
  /** Endpoint that tells one runner from another. */
  readonly runner: string;
  /** Whose connection asked for it, as gRPC names it. */
  readonly peer: string;
  readonly worker: RunningWorker;
}

/**
 * Ids are not unique: Java's runners count per JVM, so two executors that share a pool both ask for a worker `1-1`.
 * A StopWorker carries the id alone; the connection it comes by tells whose worker it means.
 */
export class StartedWorkers {
  readonly #running = new Set<StartedWorker>();
  /** Ended before the runner asked for it: that StopWorker must not hit another worker with the same id. */
  readonly #ended = new Set<StartedWorker>();

  add(started: StartedWorker): void {
    this.#running.add(started);
    void started.worker.whenEnded.then(() => {
      if (!this.#running.delete(started)) return;
      this.#ended.add(started);
      if (this.#ended.size > ENDED_MAX) this.#ended.delete(first(this.#ended)!);
    });
  }

  running(): RunningWorker[] {
    return [...this.#running].map(({ worker }) => worker);
  }

  /** Those that know that they are of the job. */
  ofJob(job: string): RunningWorker[] {
    return this.running().filter((worker) => worker.job === job);
  }

  isRunning(workerId: string, runner: string): boolean {
    return [...this.#running].some((one) => one.workerId === workerId && one.runner === runner);
  }

  /** The worker to stop; undefined when it has ended, is unknown, or cannot be told from others. */
  takeForStop(workerId: string, peer: string): RunningWorker | undefined {
    const named = (one: StartedWorker) => one.workerId === workerId;
    const asked = (one: StartedWorker) => one.peer === peer;
    const running = [...this.#running].filter(named);
    const ended = [...this.#ended].filter(named);
    const own = running.find(asked);
    if (own !== undefined) return own.worker;
    const meant = ended.find(asked) ?? ended[0];
    if (meant !== undefined) {
      this.#ended.delete(meant);
      return undefined;
    }
    // the runner has connected anew; of several workers none is stopped: each ends with its control stream
    return running.length === 1 ? running[0]!.worker : undefined;
  }
}

/** How many ended workers are remembered whose StopWorker has not come. */
const ENDED_MAX = 1_000;

function first<T>(values: Iterable<T>): T | undefined {
  for (const value of values) return value;
  return undefined;
}
