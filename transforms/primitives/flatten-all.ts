/** Flatten that refuses to mix bounded with unbounded. */
import { flatten, type PCollection, type Pipeline, type PTransform } from "./beam.js";
import { isBounded, mustBeNamed, type StepOf } from "./par-do.js";

/**
 * The union of several PCollections of one type. Runners translate a mixed Flatten differently, or not
 * at all, so a bounded and an unbounded input together are an error.
 */
export function flattenAll<T>(): StepOf<readonly PCollection<T>[], PCollection<T>> {
  const sdkFlatten = flatten<T>() as Exclude<
    PTransform<PCollection<T>[], PCollection<T>>,
    { expand: unknown }
  >;
  const expand: StepOf<readonly PCollection<T>[], PCollection<T>> = (inputs, pipeline, proto) => {
    refuseMixed(inputs, pipeline, proto.uniqueName);
    const output = sdkFlatten([...inputs], pipeline, proto);
    proto.environmentId = "";
    return output;
  };
  return mustBeNamed("a flatten", expand);
}

function refuseMixed(inputs: readonly PCollection<unknown>[], pipeline: Pipeline, step: string): void {
  if (inputs.length === 0) throw new Error(`flatten "${step}" has no input`);
  const bounded = inputs.filter((input) => isBounded(pipeline, input));
  if (bounded.length === 0 || bounded.length === inputs.length) return;
  throw new Error(
    `flatten "${step}" mixes ${bounded.length} bounded with ${inputs.length - bounded.length} unbounded inputs`,
  );
}
