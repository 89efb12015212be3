/** The SDK's modules that a bundle processor needs, after the SDK's index as they must be. */

// Loads the SDK's index, before which none of the modules below can be loaded.
import "../../transforms/primitives/beam.js";

export { deserializeFn } from "apache-beam/internal/serialize";
export { GlobalWindow as SdkGlobalWindow, IntervalWindow as SdkIntervalWindow } from "apache-beam/values";
export { decodeFromBase64, encodeToBase64 } from "apache-beam/worker/operators";
