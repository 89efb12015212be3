/** What scenarios ask a job for, of either runner. */
import type { DirectPipelineResult } from "../../../runners/direct/pipeline-result.js";
import type { MetricFilter, MetricResults } from "../../../runners/job/metrics.js";
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
  constructor(private readonly result: PortablePipelineResult) {}

  get state(): JobState_Enum {
    return this.result.state;
  }

  get failure(): Error | undefined {
    return this.result.failure;
  }

  waitUntilFinish(durationMs?: number): Promise<JobState_Enum> {
    return this.result.waitUntilFinish(durationMs);
  }

  cancel(): Promise<JobState_Enum> {
    return this.result.cancel();
  }

  drain(): Promise<JobState_Enum> {
    throw new DirectOnlyError("draining");
  }

  metrics(_filter?: MetricFilter): MetricResults {
    throw new DirectOnlyError("metrics by step, attempted beside committed");
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
