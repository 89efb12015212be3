/** A worker in a thread of this process, so that the user's code cannot block whoever started it. */
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { heapFlags } from "./heap-flags.js";
import type { RunningWorker, WorkerEnd } from "./running-worker.js";
import { type FromWorker, inOneLine, type ToWorker } from "./worker-messages.js";
import type { WorkerSpec } from "./worker-spec.js";

export interface WorkerThreadOptions {
  readonly log: Log;
  readonly stopGraceMs: number;
  /** Called with the reason of a failed start, before the runner has asked for it. */
  readonly onRefused: (reason: string) => void;
  /** Called when the runner has told the job. */
  readonly onJob?: (job: string) => void;
  /** Beside this process's own, e.g. which database to use. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Starts it at once; flags of this process such as --import hold for the thread as well. */
export function startWorkerThread(spec: WorkerSpec, options: WorkerThreadOptions): RunningWorker {
  // of the heaps of threads that begin after this
  for (const flag of heapFlags) setFlagsFromString(flag);
  const thread = new Worker(new URL("./worker-thread-entry.js", import.meta.url), {
    workerData: spec,
    env: { ...process.env, ...options.environment },
  });
  let problem: string | undefined;
  let job: string | undefined;
  let isStopped = false;
  thread.on("message", (message: FromWorker) => {
    if (message.kind === "log") options.log[message.level](message.message, message.facts);
    if (message.kind === "job") {
      job = message.job;
      options.onJob?.(job);
    }
    if (message.kind === "refused") options.onRefused(message.message);
    if (message.kind === "failed") problem = message.message;
  });
  // uncaught in the user's code, or the thread ran out of memory
  thread.on("error", (error) => {
    problem = inOneLine(error);
  });
  const whenEnded = new Promise<WorkerEnd>((resolve) => {
    thread.on("exit", (exitCode) => {
      if (isStopped) resolve({ exitCode: 0, problem: undefined });
      else if (exitCode === 0) resolve({ exitCode, problem });
      else resolve({ exitCode, problem: problem ?? `exit code ${exitCode}` });
    });
  });
  const stop = async () => {
    isStopped = true;
    const message: ToWorker = { kind: "stop" };
    thread.postMessage(message);
    // a thread in an endless loop does not read its messages
    const byForce = setTimeout(() => void thread.terminate(), options.stopGraceMs);
    const end = await whenEnded;
    clearTimeout(byForce);
    return end;
  };
  return {
    get job() {
      return job;
    },
    whenEnded,
    stop,
  };
}
