/** A program that serves a pool of one worker process and prints its endpoint: `node pool-program.js`. */
import { startProcessPool } from "../../../../runners/harness/worker/process-pool.js";

const log = { debug() {}, info() {}, warn() {}, error() {} };
const modules = [new URL("./worker-fns.js", import.meta.url).href];
const pool = await startProcessPool({
  ...{ host: "127.0.0.1", port: 0, processes: 1, root: process.cwd(), modules, log },
});
console.log(pool.endpoint);
