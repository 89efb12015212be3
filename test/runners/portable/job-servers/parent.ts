/** A program that starts a job server and waits: `node parent.js CACHE_DIR` prints the server's process id and work folder. */
import { startJobServer } from "../../../../runners/portable/job-servers/start-job-server.js";

const log = { debug() {}, info() {}, warn() {}, error() {} };
const server = await startJobServer("prism", { port: 0, cacheDir: process.argv[2]!, log });
console.log(server.pid);
setInterval(() => undefined, 1_000);
