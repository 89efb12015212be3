/** The graph as a job server gets it: in an environment that says where workers are and what they understand. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import { type Feature, features } from "../graph/features.js";

/** What no runner can do. Everything else the job server itself accepts or refuses. */
const NOBODY_CAN: ReadonlySet<Feature> = new Set([
  "unknown transform",
  "several TestStreams",
  "foreign environment",
  "unknown requirement",
]);

/** What is let through to any job server. */
export const PORTABLE_FEATURES: ReadonlySet<Feature> = new Set(
  features.filter((feature) => !NOBODY_CAN.has(feature)),
);

/** What our workers understand of Beam's protocols. */
const CAPABILITIES = [
  "beam:coder:bytes:v1",
  "beam:coder:string_utf8:v1",
  "beam:coder:bool:v1",
  "beam:coder:varint:v1",
  "beam:coder:double:v1",
  "beam:coder:kv:v1",
  "beam:coder:iterable:v1",
  "beam:coder:length_prefix:v1",
  "beam:coder:nullable:v1",
  "beam:coder:row:v1",
  "beam:coder:timer:v1",
  "beam:coder:windowed_value:v1",
  "beam:coder:param_windowed_value:v1",
  "beam:coder:global_window:v1",
  "beam:coder:interval_window:v1",
  "beam:coder:custom_window:v1",
  "beam:coder:sharded_key:v1",
  "beam:protocol:progress_reporting:v0",
  "beam:protocol:progress_reporting:v1",
  "beam:protocol:worker_status:v1",
  "beam:protocol:multi_core_bundle_processing:v1",
  "beam:protocol:monitoring_info_short_ids:v1",
  "beam:protocol:control_request_elements_embedding:v1",
  "beam:transform:sdf_truncate_sized_restrictions:v1",
];

/** Puts every environment of the graph where the worker pool is. */
export function inExternalEnvironment(proto: runnerApi.Pipeline, poolEndpoint: string): runnerApi.Pipeline {
  const components = proto.components!;
  const payload = runnerApi.ExternalPayload.toBinary(
    runnerApi.ExternalPayload.create({ endpoint: { url: poolEndpoint } }),
  );
  const environments = Object.fromEntries(
    Object.entries(components.environments).map(([id, environment]) => [
      id,
      { ...environment, urn: "beam:env:external:v1", payload, capabilities: [...CAPABILITIES] },
    ]),
  );
  return { ...proto, components: { ...components, environments } };
}
