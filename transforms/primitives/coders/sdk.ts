/** What the coders take from apache-beam, below `beam.ts`, which exports them. */

// The same order as in beam.ts, for the same reasons: node-util first, then the SDK's index, then the
// modules below it.
import "../node-util.js";
import "apache-beam";

import type { Coder as SdkCoder } from "apache-beam/coders/coders";

export type { ProtoContext } from "apache-beam/coders/coders";
export { Context, globalRegistry } from "apache-beam/coders/coders";
export * as sdkJsCoders from "apache-beam/coders/js_coders";
export * as sdkRequiredCoders from "apache-beam/coders/required_coders";
export { RowCoder as SdkRowCoder } from "apache-beam/coders/row_coder";
export * as sdkStandardCoders from "apache-beam/coders/standard_coders";
export * as runnerApi from "apache-beam/proto/beam_runner_api";
export * as schemaApi from "apache-beam/proto/schema";
export { requireForSerialization } from "apache-beam/serialization";

export type Coder<T> = SdkCoder<T>;
/** protobufjs' Writer, which the SDK's coders write to. */
export type SdkWriter = Parameters<SdkCoder<unknown>["encode"]>[1];
/** protobufjs' Reader, which the SDK's coders read from. */
export type SdkReader = Parameters<SdkCoder<unknown>["decode"]>[0];
