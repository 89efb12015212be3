/**
 * A worker pool of the SDK's own workers, patched, in a process without Millrace: `node stock-pool.js` prints
 * `pool at HOST:PORT` and serves until SIGTERM.
 */
import "./stock-patches.js";
import { ExternalWorkerPool } from "apache-beam/worker/external_worker_service";
import "./spark-work.js";

// it prints each request
for (const method of ["log", "info", "debug", "warn"] as const) console[method] = () => undefined;

const address = await new ExternalWorkerPool("127.0.0.1:0").start();
process.stdout.write(`pool at ${address}\n`);
process.once("SIGTERM", () => process.exit(0));
