/** What runs in a worker's thread: the user's modules and the harness. */
import { parentPort, workerData } from "node:worker_threads";
import type { startHarness as StartHarness } from "../harness.js";
import { runWorker } from "./run-worker.js";
import { type FromWorker, inOneLine, sendingLog, type ToWorker } from "./worker-messages.js";
import type { WorkerSpec } from "./worker-spec.js";

const port = parentPort!;
const send = (message: FromWorker) => port.postMessage(message);
const stop = new AbortController();
port.on("message", ({ kind }: ToWorker) => {
  if (kind === "stop") stop.abort();
});

let exitCode = 0;
try {
  const { harness, ...spec } = workerData as WorkerSpec;
  const { startHarness } = (await import(harness)) as { startHarness: typeof StartHarness };
  await runWorker({
    ...spec,
    startHarness,
    log: sendingLog(send),
    signal: stop.signal,
    onJob: (job) => send({ kind: "job", job }),
    onStarted: () => send({ kind: "started" }),
    onRefused: (message) => send({ kind: "refused", message }),
  });
} catch (error) {
  // after a stop whatever fails is the stop's doing
  if (!stop.signal.aborted) {
    send({ kind: "failed", message: inOneLine(error) });
    exitCode = 1;
  }
}
// ends this thread only, with whatever the user's code left open
process.exit(exitCode);
