/**
 * Submits the work as a user of the SDK does, with its own runner, to a pool of its own workers:
 * `node stock-submit.js JOB_SERVER POOL WORK_AS_JSON` prints how long the job took, and fails unless it is DONE.
 */
import "./stock-patches.js";
import { performance } from "node:perf_hooks";
import { setTimeout as later } from "node:timers/promises";
import { asExternalEnvironment } from "apache-beam/internal/environments";
import { JobState_Enum } from "apache-beam/proto/beam_job_api";
import type { Environment, Pipeline } from "apache-beam/proto/beam_runner_api";
import { PortableRunner } from "apache-beam/runners/portable_runner/runner";
import { buildSparkWork, type SparkWork } from "./spark-work.js";

const POLL_MS = 20;

const [jobEndpoint, pool, work] = process.argv.slice(2) as [string, string, string];

/** It knows workers of its own process and containers alone. */
class PoolRunner extends PortableRunner {
  override runPipelineWithProto(pipeline: Pipeline, options: never) {
    const { environments } = pipeline.components!;
    for (const [id, environment] of Object.entries(environments)) {
      environments[id] = asExternalEnvironment(environment as Environment, pool);
    }
    return super.runPipelineWithProto(pipeline, options);
  }
}

for (const method of ["info", "debug"] as const) console[method] = () => undefined;

const startMs = performance.now();
const runner = new PoolRunner({ jobEndpoint, jobName: "stock" } as never);
const { jobId } = (await runner.runAsync((root) => buildSparkWork(root, JSON.parse(work) as SparkWork))) as {
  jobId?: string;
};
const ENDS = [JobState_Enum.DONE, JobState_Enum.FAILED, JobState_Enum.CANCELLED];
let state: JobState_Enum;
do {
  await later(POLL_MS);
  ({ state } = await runner.getJobState(jobId!));
} while (!ENDS.includes(state));
const wallS = (performance.now() - startMs) / 1000;
if (state !== JobState_Enum.DONE)
  throw new Error(`the job of the SDK's worker ended ${JobState_Enum[state]}`);
process.stdout.write(`${JSON.stringify({ wallS })}\n`);
process.exit(0);
