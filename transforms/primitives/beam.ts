/** The one place where apache-beam is imported: in the order that its modules need to load at all. */
import "./node-util.js";

export type { PTransform } from "apache-beam";
// The index comes first: a module below it, loaded first, meets the SDK's import cycle half built and
// dies with "Class extends value undefined".
export { extractName, flatten, P, PCollection, Root, withName } from "apache-beam";

export type { Coder } from "apache-beam/coders/coders";
export { GeneralObjectCoder } from "apache-beam/coders/js_coders";
export { Pipeline } from "apache-beam/internal/pipeline";
export * as runnerApi from "apache-beam/proto/beam_runner_api";
export { impulse } from "apache-beam/transforms/internal";
