/** Coders as they stand in a graph: ids of coder protos, and values encoded by them while it is built. */
import { createRequire } from "node:module";
import {
  type Coder,
  CoderContext,
  coderRegistry,
  GeneralObjectCoder,
  type PCollection,
  type Pipeline,
  type runnerApi,
} from "./beam.js";
import type { JsonValue } from "./fn-registry.js";

export const KV_CODER_URN = "beam:coder:kv:v1";
export const ITERABLE_CODER_URN = "beam:coder:iterable:v1";
export const TIMER_CODER_URN = "beam:coder:timer:v1";
export const GLOBAL_WINDOW_CODER_URN = "beam:coder:global_window:v1";
export const INTERVAL_WINDOW_CODER_URN = "beam:coder:interval_window:v1";
export const CUSTOM_WINDOW_CODER_URN = "beam:coder:custom_window:v1";

/** Id of the coder under a URN with these components; the graph holds each coder once. */
export function coderIdOf(pipeline: Pipeline, urn: string, ...componentCoderIds: string[]): string {
  const proto: runnerApi.Coder = { spec: { urn, payload: new Uint8Array() }, componentCoderIds };
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

/** @throws where no coder is registered under the URN. */
export function coderFromJson({ urn, payload, components }: CoderJson): Coder<unknown> {
  return coderRegistry().getCoder(urn, fromBase64(payload), ...components.map(coderFromJson));
}

/** What coders write to and read from: protobufjs of the SDK itself, which does not export it. */
type Writer = Parameters<Coder<unknown>["encode"]>[1];
type Reader = Parameters<Coder<unknown>["decode"]>[0];
const ofSdk = createRequire(createRequire(import.meta.url).resolve("apache-beam"));
const { Writer, Reader } = ofSdk("protobufjs") as {
  Writer: { create(): Writer };
  Reader: { create(bytes: Uint8Array): Reader };
};

/** The value's encoding with delimiters: equal values of one coder have equal bytes. */
export function encodeValue(coder: Coder<unknown>, value: unknown): Uint8Array {
  const writer = Writer.create();
  coder.encode(value, writer, CoderContext.needsDelimiters);
  return writer.finish();
}

export function decodeValue(coder: Coder<unknown>, bytes: Uint8Array): unknown {
  return coder.decode(Reader.create(plainBytes(bytes)), CoderContext.needsDelimiters);
}

const VALUES_PER_WRITER = 10_000;

/** Values one after another, with delimiters. */
export function encodeValues(coder: Coder<unknown>, values: readonly unknown[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let from = 0; from < values.length; from += VALUES_PER_WRITER) {
    const writer = Writer.create();
    const to = Math.min(values.length, from + VALUES_PER_WRITER);
    for (let i = from; i < to; i++) coder.encode(values[i], writer, CoderContext.needsDelimiters);
    parts.push(writer.finish());
  }
  return Buffer.concat(parts);
}

/** What `encodeValues` wrote: `count` values, decoded as they are asked for. */
export function* decodeValues(coder: Coder<unknown>, bytes: Uint8Array, count: number): Generator<unknown> {
  const reader = Reader.create(plainBytes(bytes));
  for (let i = 0; i < count; i++) yield coder.decode(reader, CoderContext.needsDelimiters);
}

export function fromBase64(text: string): Uint8Array {
  return plainBytes(Buffer.from(text, "base64"));
}

/** Without Node's Buffer around it: what is read from a Buffer would be Buffers too. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
