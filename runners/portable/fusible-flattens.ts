/** Flattens as Beam's Java runners can fuse them, where a worker's output meets one of the runner's own. */
import type { runnerApi } from "../../transforms/primitives/beam.js";

const FLATTEN_URN = "beam:transform:flatten:v1";

/**
 * The same graph, with each such Flatten in the workers' environment. Without one, the fuser of Beam 2.49
 * (`GreedyPipelineFuser`) takes the Flatten into the stage of the worker's output and leaves it to the runner for the
 * other, which then lacks that output: "PCollectionNodes … were consumed but never produced". Other Flattens stay as
 * they are: one of nothing but the runner's outputs would send all of its elements through a worker.
 */
export function withFusibleFlattens(proto: runnerApi.Pipeline): runnerApi.Pipeline {
  const components = proto.components!;
  const transforms = Object.entries(components.transforms);
  const environmentOf = new Map<string, string>();
  for (const [, { outputs, subtransforms, environmentId }] of transforms) {
    if (subtransforms.length > 0) continue; // its parts tell
    for (const collection of Object.values(outputs)) environmentOf.set(collection, environmentId);
  }
  const fusible = transforms.map(([id, transform]) => {
    if (transform.spec?.urn !== FLATTEN_URN || transform.environmentId !== "") return [id, transform];
    const environments = Object.values(transform.inputs).map((input) => environmentOf.get(input) ?? "");
    const environmentId = environments.find((environment) => environment !== "");
    return [
      id,
      environmentId !== undefined && environments.includes("") ? { ...transform, environmentId } : transform,
    ];
  });
  return { ...proto, components: { ...components, transforms: Object.fromEntries(fusible) } };
}
