/**
 * Our workers as `npm run pipeline -- --runner=spark` has them, threads of one process: `node own-pool.js` prints
 * `pool at HOST:PORT` and serves until SIGTERM.
 */
import { startLoopbackWorkers } from "../../runners/harness/worker/loopback.js";

const say = (message: string) => void process.stderr.write(`${message}\n`);

const pool = await startLoopbackWorkers({
  modules: [new URL("./spark-work.js", import.meta.url), new URL("./spark-work-ours.js", import.meta.url)],
  log: { debug: () => undefined, info: () => undefined, warn: say, error: say },
});
process.stdout.write(`pool at ${pool.endpoint}\n`);
process.once("SIGTERM", () => void pool.stop().then(() => process.exit(0)));
