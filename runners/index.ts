/** What the package exports as `millrace/runners`. */
export { type SinkDatabase, type SinkDatabases, sinkDatabasesOf } from "../sql/sink-databases.js";
export { StepFailedError } from "./bundle/step-failed-error.js";
export { type CreateRunnerOptions, createRunner } from "./create-runner.js";
export {
  type DirectBeamRunner,
  type DirectRunnerOptions,
  directRunner,
  type PipelineFn,
} from "./direct/beam-runner.js";
export { PipelineDrainedError, StateNotDurableError } from "./direct/kept-state.js";
export { LogDamagedError, LogFormatError, LogOfOthersError } from "./direct/log/log-errors.js";
export type { DirectPipelineResult } from "./direct/pipeline-result.js";
export { SinkBehindError, SinkDatabaseError, SinkLedgerError } from "./direct/replay/sink-errors.js";
export { NoDatabaseError } from "./direct/volatile-epoch.js";
export { StateFormatError } from "./engine/durable/delta-format.js";
export { StateOfOthersError } from "./engine/durable/restored-state.js";
export { UnsupportedFeatureError } from "./graph/features.js";
export { UnsafeSinkError } from "./graph/sinks.js";
export { StateShapeError } from "./graph/state-shape.js";
export type { Job, JobEvent, JobState, SinkDatabaseStatus } from "./job/job.js";
export type { JobMessage } from "./job/messages.js";
export type {
  DistributionValue,
  GaugeValue,
  MetricFilter,
  MetricResult,
  MetricResults,
} from "./job/metrics.js";
export { FlinkRestError } from "./portable/flink-rest.js";
export { JobFailedError } from "./portable/job-failure.js";
export { JobServerError } from "./portable/job-service.js";
export { ModuleFilesError } from "./portable/modules/module-files.js";
export { PipelineOptionsError } from "./portable/pipeline-options.js";
export type { PortablePipelineResult } from "./portable/portable-result.js";
export {
  type PortableRunner,
  type PortableRunnerOptions,
  portableRunner,
} from "./portable/portable-runner.js";
export { FencedError, PipelineLockedError } from "./run/run-start.js";
