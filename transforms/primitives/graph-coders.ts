/** Coders as they stand in a graph: ids of coder protos, and values encoded by them while it is built. */
import { type Coder, GeneralObjectCoder, type PCollection, type Pipeline, runnerApi } from "./beam.js";
import { asBeamCoder, type BeamCoder } from "./coders/beam-coder.js";
import { ByteWriter } from "./coders/byte-writer.js";
import { coderFromProto } from "./coders/coder-from-proto.js";
import type { JsonValue } from "./fn-registry.js";

export const KV_CODER_URN = "beam:coder:kv:v1";
export const ITERABLE_CODER_URN = "beam:coder:iterable:v1";
export const NULLABLE_CODER_URN = "beam:coder:nullable:v1";
export const TIMER_CODER_URN = "beam:coder:timer:v1";
export const GLOBAL_WINDOW_CODER_URN = "beam:coder:global_window:v1";
export const INTERVAL_WINDOW_CODER_URN = "beam:coder:interval_window:v1";
export const CUSTOM_WINDOW_CODER_URN = "beam:coder:custom_window:v1";

/** Id of the coder under a URN with these components; the graph holds each coder once. */
export function coderIdOf(pipeline: Pipeline, urn: string, ...componentCoderIds: string[]): string {
  return coderIdOfSpec(pipeline, { urn, payload: new Uint8Array() }, componentCoderIds);
}

/** As `coderIdOf`, of a coder that has a payload. */
export function coderIdOfSpec(
  pipeline: Pipeline,
  spec: runnerApi.FunctionSpec,
  componentCoderIds: string[],
): string {
  const proto: runnerApi.Coder = { spec, componentCoderIds };
  return pipeline.getCoderId({ toProto: () => proto } as unknown as Coder<unknown>);
}

/** Id of the given coder, or of the SDK's general one. */
export function coderIdOrGeneral(pipeline: Pipeline, coder: Coder<unknown> | undefined): string {
  return pipeline.getCoderId(coder ?? new GeneralObjectCoder());
}

/** The coder of `{ key, value }` with these parts, by default general ones. */
export function kvCoderId(pipeline: Pipeline, keyCoderId?: string, valueCoderId?: string): string {
  const general = () => coderIdOrGeneral(pipeline, undefined);
  return coderIdOf(pipeline, KV_CODER_URN, keyCoderId ?? general(), valueCoderId ?? general());
}

export function coderIdOfCollection(pipeline: Pipeline, collection: PCollection<unknown>): string {
  return pipeline.getProto().components!.pcollections[collection.getId()]!.coderId;
}

/** Ids of the key's and the value's coder; undefined where the PCollection's coder is not KV. */
export function kvCoderParts(
  pipeline: Pipeline,
  collection: PCollection<unknown>,
): { readonly keyCoderId: string; readonly valueCoderId: string } | undefined {
  const coder = pipeline.getProto().components!.coders[coderIdOfCollection(pipeline, collection)]!;
  if (coder.spec?.urn !== KV_CODER_URN) return undefined;
  const [keyCoderId, valueCoderId] = coder.componentCoderIds;
  return { keyCoderId: keyCoderId!, valueCoderId: valueCoderId! };
}

/** A coder as JSON, so that a DoFn's configuration can hold it. */
export interface CoderJson {
  readonly urn: string;
  /** Base64. */
  readonly payload: string;
  readonly components: readonly CoderJson[];
  readonly [key: string]: JsonValue;
}

export function coderToJson(coders: Readonly<Record<string, runnerApi.Coder>>, coderId: string): CoderJson {
  const { spec, componentCoderIds } = coders[coderId]!;
  return {
    urn: spec!.urn,
    payload: Buffer.from(spec!.payload ?? new Uint8Array()).toString("base64"),
    components: componentCoderIds.map((id) => coderToJson(coders, id)),
  };
}

/** The coder itself. @throws where none is known under its URN. */
export function coderFromJson(json: CoderJson): BeamCoder<unknown> {
  const components = runnerApi.Components.create();
  const add = ({ urn, payload, components: parts }: CoderJson): string => {
    const componentCoderIds = parts.map(add);
    const id = `${Object.keys(components.coders).length}`;
    components.coders[id] = { spec: { urn, payload: fromBase64(payload) }, componentCoderIds };
    return id;
  };
  return coderFromProto(components, add(json));
}

/** The encodings of values one after another, as `decodeElements` reads them. */
export function encodeElements(coder: Coder<unknown>, values: readonly unknown[]): Uint8Array {
  const out = new ByteWriter();
  const own = asBeamCoder(coder);
  for (const value of values) own.write(value, out, true);
  return out.finish();
}

export function fromBase64(text: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = Buffer.from(text, "base64");
  return new Uint8Array(buffer, byteOffset, byteLength);
}
