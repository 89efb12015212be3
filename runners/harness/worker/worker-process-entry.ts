/** What a pool forks: a process that watches over its worker's thread, and ends with it or with the pool. */
import { STOP_GRACE_MS } from "./running-worker.js";
import { type FromWorker, sendingLog } from "./worker-messages.js";
import type { WorkerSpec } from "./worker-spec.js";
import { startWorkerThread } from "./worker-thread.js";

const spec = JSON.parse(process.argv[2]!) as WorkerSpec;

const send = (message: FromWorker) => {
  // the pool may have gone
  if (process.connected) process.send!(message, undefined, {}, () => undefined);
};
// the pool that read it may have gone: to go on until the thread has stopped is right
for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);

const worker = startWorkerThread(spec, {
  log: sendingLog(send),
  stopGraceMs: STOP_GRACE_MS,
  onRefused: (message) => send({ kind: "refused", message }),
  onJob: (job) => send({ kind: "job", job }),
});
const stop = () => void worker.stop();
process.on("SIGTERM", stop);
// Ctrl-C reaches the whole group: the pool stops us
process.on("SIGINT", () => undefined);
process.on("disconnect", stop);
if (!process.connected) stop();

const { exitCode, problem } = await worker.whenEnded;
if (problem !== undefined) send({ kind: "failed", message: problem });
process.removeListener("disconnect", stop);
process.exitCode = exitCode;
if (process.connected) process.disconnect();
// a SIGTERM while Node ends by itself would count as the worker's death (see pipelines/cli.ts)
process.once("beforeExit", (code) => process.exit(code));
