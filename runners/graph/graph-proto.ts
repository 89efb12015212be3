/** The final proto of a pipeline: ids that are stable paths, everything said that runners rely on. */
import { type Pipeline, runnerApi } from "../../transforms/primitives/beam.js";
import { checkProto } from "./check-proto.js";
import { withBeamsReshuffle } from "./sdk-reshuffle.js";
import { inputsOf, leaves, outputsOf, readSteps } from "./step.js";

/**
 * The pipeline as other programs get it. Transform ids are step paths (`ReadEvents/ReadFiles`),
 * PCollection ids and names the path of the step that makes them and its output's tag
 * (`ReadEvents/ReadFiles.main`). The same graph gives the same bytes in every process.
 * @throws when the graph names what it does not hold, a PCollection does not say whether it is bounded, or two would get the same name.
 */
export function graphProto(pipeline: Pipeline | runnerApi.Pipeline): runnerApi.Pipeline {
  const given = "getProto" in pipeline ? pipeline.getProto() : pipeline;
  // Through the wire and back: the SDK leaves fields undefined that the messages declare.
  const proto = runnerApi.Pipeline.fromBinary(runnerApi.Pipeline.toBinary(given));
  checkProto(proto);
  const components = proto.components!;
  components.transforms = withBeamsReshuffle(components.transforms);
  const names = collectionNames(proto);
  return {
    ...proto,
    requirements: [...new Set(proto.requirements)].sort(),
    rootTransformIds: proto.rootTransformIds.map((id) => components.transforms[id]!.uniqueName),
    components: {
      ...components,
      transforms: renameTransforms(proto, names),
      pcollections: renameCollections(components, names, unboundedIds(proto)),
    },
  };
}

/** New id by old id, in the order of making. What no step makes is left out. */
function collectionNames(proto: runnerApi.Pipeline): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const id of leaves(proto)) {
    const { uniqueName, outputs } = proto.components!.transforms[id]!;
    for (const [tag, collection] of Object.entries(outputs)) {
      const name = `${uniqueName}.${tag}`;
      if (taken.has(name)) throw new Error(`two PCollections would be named "${name}": rename a step`);
      taken.add(name);
      names.set(collection, name);
    }
  }
  return names;
}

function renameTransforms(
  proto: runnerApi.Pipeline,
  names: ReadonlyMap<string, string>,
): Record<string, runnerApi.PTransform> {
  const { transforms } = proto.components!;
  const renamed: Record<string, runnerApi.PTransform> = {};
  const rename = (ids: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(ids).map(([tag, id]) => [tag, names.get(id) ?? id]));
  const visit = (id: string): void => {
    const transform = transforms[id]!;
    renamed[transform.uniqueName] = {
      ...transform,
      inputs: rename(transform.inputs),
      outputs: rename(transform.outputs),
      subtransforms: transform.subtransforms.map((part) => transforms[part]!.uniqueName),
    };
    transform.subtransforms.forEach(visit);
  };
  proto.rootTransformIds.forEach(visit);
  return renamed;
}

/**
 * PCollections that are unbounded, said so or not: what is made of an unbounded one is unbounded too, unless
 * a step of ours says otherwise, which then knows why.
 */
function unboundedIds(proto: runnerApi.Pipeline): Set<string> {
  const { pcollections } = proto.components!;
  const unbounded = new Set<string>();
  for (const [id, { isBounded }] of Object.entries(pcollections)) {
    if (isBounded === runnerApi.IsBounded_Enum.UNBOUNDED) unbounded.add(id);
  }
  for (const step of readSteps(proto)) {
    if (step.kind === "unknown" || (step.kind === "parDo" && step.doFn.kind === "registered")) continue;
    const mains = step.kind === "parDo" ? [step.input] : inputsOf(step);
    if (mains.some((id) => unbounded.has(id))) for (const id of outputsOf(step)) unbounded.add(id);
  }
  return unbounded;
}

function renameCollections(
  components: runnerApi.Components,
  names: ReadonlyMap<string, string>,
  unbounded: ReadonlySet<string>,
): Record<string, runnerApi.PCollection> {
  const { UNBOUNDED } = runnerApi.IsBounded_Enum;
  const renamed: Record<string, runnerApi.PCollection> = {};
  for (const [id, name] of names) {
    const collection = components.pcollections[id]!;
    if (collection.isBounded === runnerApi.IsBounded_Enum.UNSPECIFIED) {
      throw new Error(`PCollection "${name}" does not say whether it is bounded`);
    }
    const isBounded = unbounded.has(id) ? UNBOUNDED : collection.isBounded;
    renamed[name] = { ...collection, isBounded, uniqueName: name };
  }
  return renamed;
}
