/** The graph as a job server gets it: in an environment that says where workers are and what they understand. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import { ByteWriter } from "../../transforms/primitives/coders/byte-writer.js";
import { BytesCoder } from "../../transforms/primitives/coders/scalar-coders.js";
import { TEST_STREAM_URN } from "../../transforms/primitives/test-stream.js";
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
  "beam:protocol:state_caching:v1",
  "beam:transform:sdf_truncate_sized_restrictions:v1",
];

const LENGTH_PREFIXED_BYTES = "MillraceLengthPrefixedBytes";
const BYTES = "MillraceBytes";
const BYTES_URN = "beam:coder:bytes:v1";
const LENGTH_PREFIX_URN = "beam:coder:length_prefix:v1";
const PAR_DO_URN = "beam:transform:pardo:v1";
const SDK_CODER_URN = "beam:coder:genericobjectjs:v1";

/**
 * A TestStream is played by the runner, and Java's know no coder of ours. They get its elements as bytes with their
 * length before them, which is what a runner makes of a coder that it does not know.
 */
export function withPlayableTestStreams(proto: runnerApi.Pipeline): runnerApi.Pipeline {
  const components = proto.components!;
  const { coders } = components;
  let isChanged = false;
  const transforms = Object.entries(components.transforms).map(([id, transform]) => {
    if (transform.spec?.urn !== TEST_STREAM_URN) return [id, transform] as const;
    const payload = runnerApi.TestStreamPayload.fromBinary(transform.spec.payload);
    if (coders[payload.coderId]?.spec?.urn !== SDK_CODER_URN) return [id, transform] as const;
    isChanged = true;
    for (const { event } of payload.events) {
      if (event.oneofKind !== "elementEvent") continue;
      for (const element of event.elementEvent.elements) {
        element.encodedElement = withLength(element.encodedElement);
      }
    }
    const spec = {
      ...transform.spec,
      payload: runnerApi.TestStreamPayload.toBinary({ ...payload, coderId: LENGTH_PREFIXED_BYTES }),
    };
    return [id, { ...transform, spec }] as const;
  });
  if (!isChanged) return proto;
  const coder = (urn: string, ...componentCoderIds: string[]) =>
    runnerApi.Coder.create({ spec: { urn, payload: new Uint8Array() }, componentCoderIds });
  return {
    ...proto,
    components: {
      ...components,
      transforms: Object.fromEntries(transforms),
      coders: {
        ...coders,
        [BYTES]: coder(BYTES_URN),
        [LENGTH_PREFIXED_BYTES]: coder(LENGTH_PREFIX_URN, BYTES),
      },
    },
  };
}

function withLength(bytes: Uint8Array): Uint8Array {
  const out = new ByteWriter();
  new BytesCoder().write(bytes, out, true);
  return out.finish();
}

/**
 * Prism finalizes the bundles of a stage only if a step at its head asks for it (`finalize` in its preprocess.go), and
 * of another's callbacks none is ever called. So such a step is put at the head of a stage: as Prism does with each one
 * that requires time-sorted input, which it takes for nothing else.
 */
export function withFinalizingStepsFirst(proto: runnerApi.Pipeline): runnerApi.Pipeline {
  const components = proto.components!;
  const transforms = Object.entries(components.transforms).map(([id, transform]) => {
    if (transform.spec?.urn !== PAR_DO_URN) return [id, transform] as const;
    const payload = runnerApi.ParDoPayload.fromBinary(transform.spec.payload);
    if (!payload.requestsFinalization) return [id, transform] as const;
    const first = runnerApi.ParDoPayload.toBinary({ ...payload, requiresTimeSortedInput: true });
    return [id, { ...transform, spec: { ...transform.spec, payload: first } }] as const;
  });
  return { ...proto, components: { ...components, transforms: Object.fromEntries(transforms) } };
}

/** Where workers are, in Beam's terms, and what they take along. */
export interface WorkerEnvironment {
  readonly urn: string;
  readonly payload: Uint8Array;
  readonly dependencies: readonly runnerApi.ArtifactInformation[];
}

/** Puts every environment of the graph where the workers are. */
export function inEnvironment(
  proto: runnerApi.Pipeline,
  { urn, payload, dependencies }: WorkerEnvironment,
): runnerApi.Pipeline {
  const components = proto.components!;
  const environments = Object.fromEntries(
    Object.entries(components.environments).map(([id, environment]) => [
      id,
      { ...environment, urn, payload, dependencies: [...dependencies], capabilities: [...CAPABILITIES] },
    ]),
  );
  return { ...proto, components: { ...components, environments } };
}
