/** The one place from which apache-beam is taken: in the order that its modules need to load at all. */

// The order counts: node-util repairs what the SDK needs to load, and the SDK's index comes before the
// modules below it, one of which loaded first would meet an import cycle half built and die with "Class
// extends value undefined". What the coders need of it stands in coders/sdk.ts, in the same order.
import "./node-util.js";

export type { PTransform } from "apache-beam";
export * as beam from "apache-beam";
export { extractName, flatten, P, PCollection, Root, withName } from "apache-beam";
export type { Coder } from "apache-beam/coders/coders";
export { Pipeline } from "apache-beam/internal/pipeline";
export { JobState_Enum } from "apache-beam/proto/beam_job_api";
export * as runnerApi from "apache-beam/proto/beam_runner_api";
export { MonitoringInfo } from "apache-beam/proto/metrics";
export * as standardWindowFns from "apache-beam/proto/standard_window_fns";
export { createRunner as createSdkRunner, PipelineResult, Runner } from "apache-beam/runners/runner";
export { impulse } from "apache-beam/transforms/internal";
export { GeneralObjectCoder } from "./coders/general-object-coder.js";

// After the SDK: what it registered is replaced.
import "./coders/install-coders.js";
