/** What scenarios ask a job for, of either runner. */
import type { DirectPipelineResult } from "../../../runners/direct/pipeline-result.js";
import {
  filterMetrics,
  type MetricFilter,
  type MetricResults,
  NO_METRICS,
} from "../../../runners/job/metrics.js";
import type { PortablePipelineResult } from "../../../runners/portable/portable-result.js";
import type { JobState_Enum } from "../../../transforms/primitives/beam.js";
import { DirectOnlyError } from "./portable-targets.js";

export type ModelResult = Pick<
  DirectPipelineResult,
  | "state"
  | "failure"
  | "waitUntilFinish"
  | "cancel"
  | "drain"
  | "metrics"
  | "rawMetrics"
  | "counters"
  | "distributions"
>;

/** A job on a job server; what only the direct runner's jobs can say is refused. */
export class PortableModelResult implements ModelResult {
  #metrics = NO_METRICS;

  constructor(private readonly result: PortablePipelineResult) {}

  /** One that tells the metrics of its job, which has ended. */
  static async ofEnded(result: PortablePipelineResult): Promise<PortableModelResult> {
    const ended = new PortableModelResult(result);
    ended.#metrics = await result.metrics();
    return ended;
  }

  get state(): JobState_Enum {
    return this.result.state;
  }

  get failure(): Error | undefined {
    return this.result.failure;
  }

  async waitUntilFinish(durationMs?: number): Promise<JobState_Enum> {
    const state = await this.result.waitUntilFinish(durationMs);
    this.#metrics = await this.result.metrics();
    return state;
  }

  cancel(): Promise<JobState_Enum> {
    return this.result.cancel();
  }

  drain(): Promise<JobState_Enum> {
    throw new DirectOnlyError("draining");
  }

  /** As of when the job was last waited for. */
  metrics(filter: MetricFilter = {}): MetricResults {
    return filterMetrics(this.#metrics, filter);
  }

  rawMetrics(): ReturnType<DirectPipelineResult["rawMetrics"]> {
    return this.result.rawMetrics();
  }

  counters(): ReturnType<DirectPipelineResult["counters"]> {
    return this.result.counters();
  }

  distributions(): ReturnType<DirectPipelineResult["distributions"]> {
    return this.result.distributions();
  }
}
