/** The SDK's coders as its package ships them, beside the ones of this process, which ask ours. */
import { createRequire } from "node:module";
import "../../../../transforms/primitives/beam.js";
import type { Coder, SdkReader, SdkWriter } from "../../../../transforms/primitives/coders/sdk.js";

const requireHere = createRequire(import.meta.url);
const sdkIndex = requireHere.resolve("apache-beam");
const requireFromSdk = createRequire(sdkIndex);

interface Protobuf {
  readonly Writer: { create(): SdkWriter };
  readonly Reader: { create(bytes: Uint8Array): SdkReader };
}

/** The protobufjs that the SDK uses; we do not depend on it ourselves. */
export const protobuf: Protobuf = requireFromSdk("protobufjs");

// biome-ignore lint/suspicious/noExplicitAny: constructors of coders of all kinds
type Classes = Readonly<Record<string, new (...args: any[]) => Coder<any>>>;

/** Loads the SDK's modules a second time, so that nothing that was changed in the first copy is in these. */
function loadAgain(): Classes {
  const folder = sdkIndex.slice(0, sdkIndex.lastIndexOf("index.js"));
  const { cache } = requireHere;
  const first = Object.entries(cache).filter(([path]) => path.startsWith(folder));
  for (const [path] of first) delete cache[path];
  requireHere("apache-beam");
  const names = ["js_coders", "standard_coders", "row_coder"];
  const classes = Object.assign({}, ...names.map((name) => requireHere(`apache-beam/coders/${name}`)));
  for (const path of Object.keys(cache)) if (path.startsWith(folder)) delete cache[path];
  for (const [path, module] of first) cache[path] = module;
  return classes;
}

export const pristineSdk: Classes = loadAgain();
