/** Composites under URNs of our own: names for people, whose leaves are all Beam's. */
import type { JsonValue } from "./fn-registry.js";
import { mustBeJson } from "./json-config.js";
import { mustBeNamed, type StepOf } from "./par-do.js";

/**
 * A transform made of other transforms, marked with a URN and its configuration in JSON. A runner that
 * does not know the URN runs what is inside; a leaf it does not know it may drop without a word, so an
 * expansion that applies nothing is an error.
 */
export function composite<In, Out>(
  urn: string,
  config: JsonValue,
  expand: (input: In) => Out,
): StepOf<In, Out> {
  const expandMarked: StepOf<In, Out> = (input, _pipeline, proto) => {
    mustBeJson(urn, config);
    proto.spec = { urn, payload: new TextEncoder().encode(JSON.stringify(config)) };
    proto.environmentId = "";
    const output = expand(input);
    if (proto.subtransforms.length === 0) {
      throw new Error(`composite "${proto.uniqueName}" (${urn}) applies no transform`);
    }
    return output;
  };
  return mustBeNamed(`the composite "${urn}"`, expandMarked);
}
