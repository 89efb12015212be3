/** A graph under construction and what tests look up in it. */
import {
  impulse,
  type PCollection,
  Pipeline,
  Root,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";

export interface GraphUnderTest {
  readonly pipeline: Pipeline;
  readonly root: Root;
  readonly input: PCollection<Uint8Array>;
}

/** A pipeline with one impulse. */
export function startGraph(): GraphUnderTest {
  const pipeline = new Pipeline();
  const root = new Root(pipeline);
  return { pipeline, root, input: root.apply(withName("Impulse", impulse())) };
}

export function transformNamed(pipeline: Pipeline, name: string): runnerApi.PTransform {
  const found = Object.values(pipeline.getProto().components!.transforms).find((t) => t.uniqueName === name);
  if (found === undefined) throw new Error(`no transform "${name}"`);
  return found;
}

export function payloadOf(pipeline: Pipeline, name: string): runnerApi.ParDoPayload {
  return runnerApi.ParDoPayload.fromBinary(transformNamed(pipeline, name).spec!.payload);
}

export function collectionOf(pipeline: Pipeline, collection: PCollection<unknown>): runnerApi.PCollection {
  return pipeline.getProto().components!.pcollections[collection.getId()]!;
}

export function strategyOf(
  pipeline: Pipeline,
  collection: PCollection<unknown>,
): runnerApi.WindowingStrategy {
  const { windowingStrategies } = pipeline.getProto().components!;
  return windowingStrategies[collectionOf(pipeline, collection).windowingStrategyId]!;
}

/** A coder as text, components in brackets, URNs without `beam:coder:` and `:v1`. */
export function coderText(pipeline: Pipeline, coderId: string): string {
  const { spec, componentCoderIds } = pipeline.getProto().components!.coders[coderId]!;
  const name = spec!.urn.replace("beam:coder:", "").replace(":v1", "");
  const parts = componentCoderIds.map((id) => coderText(pipeline, id));
  return parts.length === 0 ? name : `${name}<${parts.join(", ")}>`;
}

/** What a DoFn of the graph emits for an element: value, and event time if it was given. */
export function emitted(
  doFn: { process(...args: never[]): unknown },
  element: unknown,
  timestampMs = 0,
): unknown[] {
  const out: unknown[] = [];
  const context = {
    timestampMs,
    pane: undefined,
    output: (value: unknown, atMs?: number) => out.push(atMs === undefined ? value : [value, atMs]),
    outputWindowed: (_tag: string, windowed: unknown) => out.push(windowed),
  };
  doFn.process(...([element, context] as never[]));
  return out;
}
