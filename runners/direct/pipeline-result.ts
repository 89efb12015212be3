/** A job as the Beam SDK's PipelineResult, with what the SDK's lacks. */
import { JobState_Enum, type MonitoringInfo, PipelineResult } from "../../transforms/primitives/beam.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import type { Job } from "../job/job.js";
import type { JobMessage } from "../job/messages.js";
import {
  addDistributions,
  type DistributionValue,
  filterMetrics,
  type MetricFilter,
  type MetricResults,
} from "../job/metrics.js";
import { monitoringInfos } from "../job/monitoring-infos.js";

/** What `directRunner().run` and `runAsync` give. */
export class DirectPipelineResult extends PipelineResult {
  /** The job behind it: counts, progress, events. */
  readonly job: Job;

  constructor(job: Job) {
    super();
    this.job = job;
  }

  get state(): JobState_Enum {
    return JobState_Enum[this.job.state];
  }

  /** The error that made the job FAILED: it names step and method, `cause` is what the DoFn threw. */
  get failure(): Error | undefined {
    return this.job.failure;
  }

  /**
   * Resolves with the state at the end, or with the state after `durationMs` if it has not ended
   * then. Never rejects: see `failure`.
   */
  override async waitUntilFinish(durationMs?: number): Promise<JobState_Enum> {
    const end = this.job.waitUntilFinish();
    if (durationMs === undefined) return JobState_Enum[await end];
    const ended = new AbortController();
    await Promise.race([end, systemClock.sleep(durationMs, ended.signal)]);
    ended.abort();
    return this.state;
  }

  /** Abandons what is in flight. Resolves with the state at the end. */
  async cancel(): Promise<JobState_Enum> {
    return JobState_Enum[await this.job.cancel()];
  }

  /** Ends the sources, works off what they gave, fires what waits. Resolves with the state at the end. */
  async drain(): Promise<JobState_Enum> {
    return JobState_Enum[await this.job.drain()];
  }

  /** Metrics as of now, attempted and committed. */
  metrics(filter: MetricFilter = {}): MetricResults {
    return filterMetrics(this.job.metrics, filter);
  }

  /** What was logged and which states were entered, until the end. */
  messages(): AsyncIterable<JobMessage> {
    return this.job.messages();
  }

  /** Attempted values as other runners give them. */
  override async rawMetrics(): Promise<MonitoringInfo[]> {
    return monitoringInfos(this.job.metrics);
  }

  /** Attempted counters by name, summed over the steps that use it. */
  override async counters(): Promise<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const { name, attempted } of this.job.metrics.counters) sums[name] = (sums[name] ?? 0) + attempted;
    return sums;
  }

  /** Attempted distributions by name, over the steps that use it. */
  override async distributions(): Promise<Record<string, number> & Record<string, DistributionValue>> {
    const all: Record<string, DistributionValue> = {};
    for (const { name, attempted } of this.job.metrics.distributions) {
      const known = all[name];
      all[name] = known === undefined ? attempted : addDistributions(known, attempted);
    }
    // The SDK declares numbers, and gives what this gives.
    return all as Record<string, number> & Record<string, DistributionValue>;
  }
}
