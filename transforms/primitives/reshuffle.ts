/** reshuffle: the same elements, and nothing before it runs again because of what comes after. */
import type { PCollection } from "./beam.js";
import { coderIdOfCollection } from "./graph-coders.js";
import { createOutput, isBounded, mustBeNamed, type StepOf } from "./par-do.js";
import { windowingStrategyIdOf } from "./par-do-payload.js";

export const RESHUFFLE_URN = "beam:transform:reshuffle:v1";

/** Elements keep event time, windows and pane. Steps are not fused across it. */
export function reshuffle<T>(): StepOf<PCollection<T>, PCollection<T>> {
  const expand: StepOf<PCollection<T>, PCollection<T>> = (input, pipeline, proto) => {
    proto.spec = { urn: RESHUFFLE_URN, payload: new Uint8Array() };
    proto.environmentId = "";
    const coderId = coderIdOfCollection(pipeline, input);
    const strategyId = windowingStrategyIdOf(pipeline, input);
    return createOutput(pipeline, isBounded(pipeline, input), coderId, strategyId) as PCollection<T>;
  };
  return mustBeNamed("a reshuffle", expand);
}
