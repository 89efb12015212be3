/**
 * Runs the pipeline of files, with its commit log, in the folder of MILLRACE_TEST_DIR until all that there is to read is
 * published: the process that the tests kill and stop. Says each commit on standard output.
 */
import path from "node:path";
import { directRunner } from "millrace/runners";
import { build, isSourceAtEnd, PIPELINE } from "./log-pipeline.js";

/** After the last commit, nothing is left to be published. */
const QUIET_MS = 500;

const dir = process.env["MILLRACE_TEST_DIR"]!;
const takeover = process.env["MILLRACE_TEST_TAKEOVER"] === "yes";
const commitLogDir = path.join(dir, "log");
const runner = directRunner({ commitLogDir, pipelineName: PIPELINE, takeover });
const { job } = await runner.runAsync((root) => build(root, dir));
let lastMs = performance.now();
job.subscribe((event) => {
  if (event.type !== "commit") return;
  lastMs = performance.now();
  process.stdout.write(`${event.commit.epoch} ${event.commit.runId}\n`);
});
const looking = setInterval(() => {
  if (isSourceAtEnd() && performance.now() - lastMs > QUIET_MS) void job.stop?.();
}, 50);
const state = await job.waitUntilFinish();
clearInterval(looking);
if (state !== "DONE") {
  process.stderr.write(`${state}: ${job.failure?.name}: ${job.failure?.message}\n`);
  process.exitCode = 1;
}
