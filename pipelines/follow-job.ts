/** Reports a running job and waits for its end, whatever brings it about. */
import { join } from "node:path";
import type { Job } from "../runners/job/job.js";
import { createJsonReporter } from "./reporting/json-reporter.js";
import { createLiveReporter } from "./reporting/live-reporter.js";
import { createPlainReporter } from "./reporting/plain-reporter.js";
import { type Reporter, reportJob } from "./reporting/reporter.js";
import { createMetricsReporter } from "./reporting/streaming-progress.js";
import { finishJob, type JobEnd } from "./stop-signals.js";
import type { VerbContext } from "./verb.js";

/** Follows from the very call on; `metrics` is told as well as whoever looks on. */
export async function followJob(context: VerbContext, job: Job, metrics: Reporter): Promise<JobEnd> {
  const { log, clock, stop, loaded } = context;
  const report = reportJob(job, [createProgressReporter(context, job), metrics], log);
  const drainTimeoutMs = loaded.config.drainTimeout;
  const end = await finishJob(job, { requested: stop.requested, drainTimeoutMs, clock, log });
  await report.end(end);
  if (end.problem !== undefined) log.error(end.problem);
  if (job.failure !== undefined) log.debug("the failure in full", { error: job.failure });
  return end;
}

/** `logs/streaming_metrics.log`; `sink` is what it calls the database: `host:port/database as user`. */
export async function openMetrics({ loaded, parts, log }: VerbContext, sink: string): Promise<Reporter> {
  const openRecordLog = await parts.loadRecordLog();
  const path = join(loaded.config.logDir, "streaming_metrics.log");
  return createMetricsReporter(
    openRecordLog(path, (error) => log.warn(error.message)),
    sink,
  );
}

function createProgressReporter({ loaded, liveLine, stdout, clock }: VerbContext, job: Job): Reporter {
  const writeLine = (line: string) => void stdout.write(`${line}\n`);
  if (loaded.config.json) return createJsonReporter(job.pipeline, writeLine);
  if (liveLine !== undefined) return createLiveReporter(job, clock, liveLine, stdout);
  return createPlainReporter(job, clock, writeLine);
}
