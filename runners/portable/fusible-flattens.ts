/** Flattens as Beam's Java runners can fuse them, where a step's output meets one that the runner makes itself. */
import { runnerApi } from "../../transforms/primitives/beam.js";

const FLATTEN_URN = "beam:transform:flatten:v1";
const PAR_DO_URN = "beam:transform:pardo:v1";
/** The SDK's DoFn that passes on what it gets. */
const IDENTITY_DO_FN_URN = "beam:dofn:identity:0.1";

/**
 * The same graph, with a step of a worker between such a Flatten and each input that the runner makes: a group, an
 * Impulse. Without, the fuser of Beam 2.49 (`GreedyPipelineFuser`) takes the Flatten into the stage of the step's
 * output and leaves it to the runner for the other, which then lacks the step's: "PCollectionNodes … were consumed but
 * never produced". Flattens of one kind stay as they are.
 */
export function withFusibleFlattens(proto: runnerApi.Pipeline): runnerApi.Pipeline {
  const components = proto.components!;
  const environmentOf = environments(components);
  const transforms = { ...components.transforms };
  const pcollections = { ...components.pcollections };
  const parts = new Map<string, readonly string[]>();
  for (const [id, flatten] of Object.entries(components.transforms)) {
    if (flatten.spec?.urn !== FLATTEN_URN) continue;
    const inputs = Object.entries(flatten.inputs);
    const environmentId = inputs.map(([, input]) => environmentOf(input)).find((one) => one !== "");
    const native = inputs.filter(([, input]) => environmentOf(input) === "");
    if (environmentId === undefined || native.length === 0) continue;
    const through = native.map(([name, input]) => {
      const step = passingOn(`${id}/Pass on ${name}`, input, environmentId);
      transforms[step.uniqueName] = step;
      pcollections[step.outputs["main"]!] = { ...pcollections[input]!, uniqueName: step.outputs["main"]! };
      return [name, step] as const;
    });
    const outputs = through.map(([name, step]) => [name, step.outputs["main"]!]);
    transforms[id] = { ...flatten, inputs: { ...flatten.inputs, ...Object.fromEntries(outputs) } };
    parts.set(id, [...through.map(([, step]) => step.uniqueName), id]);
  }
  const withParts = (ids: readonly string[]) => ids.flatMap((id) => parts.get(id) ?? [id]);
  for (const [id, transform] of Object.entries(transforms)) {
    transforms[id] = { ...transform, subtransforms: withParts(transform.subtransforms) };
  }
  const rootTransformIds = withParts(proto.rootTransformIds);
  return { ...proto, rootTransformIds, components: { ...components, transforms, pcollections } };
}

/**
 * The same graph, in which each Flatten has the environment of a step before it: where its inputs are encoded in
 * different ways, Prism lets a worker take them from one into the other (`handleFlatten` in its handlerunner.go), which
 * without an environment it would do itself, and does not.
 */
export function withFlattensOfWorkers(proto: runnerApi.Pipeline): runnerApi.Pipeline {
  const components = proto.components!;
  const environmentOf = environments(components);
  const transforms = Object.entries(components.transforms).map(([id, flatten]) => {
    if (flatten.spec?.urn !== FLATTEN_URN || flatten.environmentId !== "") return [id, flatten] as const;
    const environmentId =
      Object.values(flatten.inputs)
        .map(environmentOf)
        .find((one) => one !== "") ?? "";
    return [id, { ...flatten, environmentId }] as const;
  });
  return { ...proto, components: { ...components, transforms: Object.fromEntries(transforms) } };
}

/** That of the leaf which makes a PCollection; "" for one that the runner makes. */
function environments({ transforms }: runnerApi.Components): (collection: string) => string {
  const byCollection = new Map<string, string>();
  for (const { outputs, subtransforms, environmentId } of Object.values(transforms)) {
    if (subtransforms.length > 0) continue;
    for (const collection of Object.values(outputs)) byCollection.set(collection, environmentId);
  }
  return (collection) => byCollection.get(collection) ?? "";
}

function passingOn(id: string, input: string, environmentId: string): runnerApi.PTransform {
  const doFn = { urn: IDENTITY_DO_FN_URN, payload: new Uint8Array(), environmentId };
  const payload = runnerApi.ParDoPayload.toBinary(runnerApi.ParDoPayload.create({ doFn }));
  return runnerApi.PTransform.create({
    ...{ uniqueName: id, spec: { urn: PAR_DO_URN, payload }, environmentId },
    ...{ inputs: { main: input }, outputs: { main: `${id}.main` } },
  });
}
