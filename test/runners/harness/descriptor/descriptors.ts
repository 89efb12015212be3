/** Descriptors of stages as runners cut them out of a graph. */
import "../../../../transforms/primitives/beam.js";
import { ProcessBundleDescriptor, RemoteGrpcPort } from "apache-beam/proto/beam_fn_api";
import { graphProto } from "../../../../runners/graph/graph-proto.js";
import { Pipeline, Root, runnerApi } from "../../../../transforms/primitives/beam.js";

/** The graph of a pipeline. */
export function graphOf(build: (root: Root) => void): runnerApi.Pipeline {
  const pipeline = new Pipeline();
  build(new Root(pipeline));
  return graphProto(pipeline);
}

/**
 * The stage of these transforms: a source `read/<PCollection>` for each main input that is made elsewhere, a sink
 * `write/<PCollection>` for each output that is read elsewhere or is in `written`.
 */
export function cutStage(
  { components }: runnerApi.Pipeline,
  ids: readonly string[],
  { written = [] as readonly string[] } = {},
): ProcessBundleDescriptor {
  const { transforms, pcollections, coders, windowingStrategies } = components!;
  const inside = Object.fromEntries(ids.map((id) => [id, transforms[id]!]));
  const made = new Set(Object.values(inside).flatMap(({ outputs }) => Object.values(outputs)));
  const read = new Set(Object.values(inside).flatMap((transform) => mainInputs(transform)));
  const elsewhere = Object.entries(transforms).filter(([id]) => !ids.includes(id));
  const readElsewhere = new Set(elsewhere.flatMap(([, { inputs }]) => Object.values(inputs)));
  const descriptor = ProcessBundleDescriptor.create({
    id: "stage",
    transforms: inside,
    pcollections,
    coders: { ...coders },
    windowingStrategies,
    stateApiServiceDescriptor: { url: "localhost:2" },
    timerApiServiceDescriptor: { url: "localhost:3" },
  });
  for (const id of [...read].filter((id) => !made.has(id))) addSource(descriptor, id);
  for (const id of [...made].filter((id) => readElsewhere.has(id) || written.includes(id)))
    addSink(descriptor, id);
  return descriptor;
}

/** The stage with all its ports and services at one address. */
export function servedAt(descriptor: ProcessBundleDescriptor, url: string): ProcessBundleDescriptor {
  for (const { spec } of Object.values(descriptor.transforms)) {
    if (!spec!.urn.startsWith("beam:runner:")) continue;
    const { coderId } = RemoteGrpcPort.fromBinary(spec!.payload);
    spec!.payload = RemoteGrpcPort.toBinary(
      RemoteGrpcPort.create({ apiServiceDescriptor: { url }, coderId }),
    );
  }
  descriptor.stateApiServiceDescriptor!.url = url;
  descriptor.timerApiServiceDescriptor!.url = url;
  return descriptor;
}

/** Puts a length before what the runner cannot decode, the parts of a KV, as the runners of Beam for Java do. */
export function withLengthPrefixes(descriptor: ProcessBundleDescriptor): ProcessBundleDescriptor {
  const { coders } = descriptor;
  const prefixed = (id: string): string => {
    const coder = coders[id]!;
    const prefixedId = `${id} with lengths`;
    const isKv = coder.spec!.urn === "beam:coder:kv:v1";
    coders[prefixedId] = isKv
      ? { ...coder, componentCoderIds: coder.componentCoderIds.map(prefixed) }
      : runnerApi.Coder.create({ spec: { urn: "beam:coder:length_prefix:v1" }, componentCoderIds: [id] });
    return prefixedId;
  };
  for (const [id, { spec, componentCoderIds }] of Object.entries(coders)) {
    if (spec!.urn !== "beam:coder:windowed_value:v1") continue;
    const [element, window] = componentCoderIds;
    coders[id] = runnerApi.Coder.create({ spec: spec!, componentCoderIds: [prefixed(element!), window!] });
  }
  return descriptor;
}

function mainInputs({ spec, inputs }: runnerApi.PTransform): string[] {
  const { sideInputs } = runnerApi.ParDoPayload.fromBinary(
    spec!.urn === "beam:transform:flatten:v1" ? new Uint8Array() : spec!.payload,
  );
  return Object.entries(inputs).flatMap(([name, id]) => (name in sideInputs ? [] : [id]));
}

export function addSource(descriptor: ProcessBundleDescriptor, collection: string): void {
  const coderId = addWireCoder(descriptor, collection);
  const source = port("beam:runner:source:v1", coderId, { outputs: { out: collection } });
  descriptor.transforms[`read/${collection}`] = source;
}

export function addSink(descriptor: ProcessBundleDescriptor, collection: string, name = "write"): void {
  const coderId = addWireCoder(descriptor, collection);
  const sink = port("beam:runner:sink:v1", coderId, { inputs: { in: collection } });
  descriptor.transforms[`${name}/${collection}`] = sink;
}

function addWireCoder(
  { pcollections, windowingStrategies, coders }: ProcessBundleDescriptor,
  collection: string,
): string {
  const { coderId, windowingStrategyId } = pcollections[collection]!;
  const id = `${collection} on the wire`;
  coders[id] = runnerApi.Coder.create({
    spec: { urn: "beam:coder:windowed_value:v1" },
    componentCoderIds: [coderId, windowingStrategies[windowingStrategyId]!.windowCoderId],
  });
  return id;
}

function port(urn: string, coderId: string, sides: Partial<runnerApi.PTransform>): runnerApi.PTransform {
  const apiServiceDescriptor = { url: "localhost:1" };
  const payload = RemoteGrpcPort.toBinary(RemoteGrpcPort.create({ apiServiceDescriptor, coderId }));
  return runnerApi.PTransform.create({ spec: { urn, payload }, ...sides });
}
