/** Whether a pipeline proto, which may come from anywhere, holds whatever it names. */
import type { runnerApi } from "../../transforms/primitives/beam.js";

/** @throws on the first name that leads nowhere or, among transforms, in a circle; saying who names it. */
export function checkProto({ components, rootTransformIds }: runnerApi.Pipeline): void {
  if (components === undefined)
    throw new Error("the graph holds no components: no transforms, no PCollections");
  const seen = new Set<string>();
  const visit = (id: string, parent: string): void => {
    const transform = components.transforms[id];
    if (transform === undefined) throw new Error(`${parent} names a transform "${id}" that it does not hold`);
    if (seen.has(id))
      throw new Error(`${parent} names the transform "${id}", which stands elsewhere already`);
    seen.add(id);
    for (const part of transform.subtransforms) visit(part, `transform "${id}"`);
    if (transform.subtransforms.length === 0) checkCollections(components, transform);
  };
  for (const id of rootTransformIds) visit(id, "the graph");
}

function checkCollections(
  { pcollections, windowingStrategies }: runnerApi.Components,
  { uniqueName, inputs, outputs }: runnerApi.PTransform,
): void {
  for (const id of [...Object.values(inputs), ...Object.values(outputs)]) {
    const collection = pcollections[id];
    if (collection === undefined) {
      throw new Error(`step "${uniqueName}" names a PCollection "${id}" that the graph does not hold`);
    }
    const { windowingStrategyId } = collection;
    if (windowingStrategies[windowingStrategyId] === undefined) {
      throw new Error(
        `PCollection "${id}" of step "${uniqueName}" has a windowing strategy "${windowingStrategyId}" ` +
          "that the graph does not hold",
      );
    }
  }
}
