/** The SDK's modules that a bundle processor needs, after the SDK's index as they must be. */

// Loads the SDK's index, before which none of the modules below can be loaded.
import "../../transforms/primitives/beam.js";
import { requireForSerialization } from "apache-beam/serialization";

// The SDK has registered what generators are made of; so asynchronous ones can be serialised too.
const asyncGenerator = async function* () {};
requireForSerialization("millrace", {
  async_generator: asyncGenerator,
  async_generator_prototype: asyncGenerator.prototype,
});

export { deserializeFn } from "apache-beam/internal/serialize";
export { GlobalWindow as SdkGlobalWindow, IntervalWindow as SdkIntervalWindow } from "apache-beam/values";
