/** Split: parts one PCollection into several by the tag that each element carries. */
import type { PCollection, Pipeline } from "./primitives/beam.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { coderIdOfCollection } from "./primitives/graph-coders.js";
import { mustBeNamed, registeredParDo, type StepOf, type TaggedOutputs } from "./primitives/par-do.js";
import { TaggedCoder, tagsOf } from "./tagged-coder.js";

/** An element that says where it belongs: an object with one key, the tag. */
export type Tagged<Outputs> = {
  [Tag in keyof Outputs]: { readonly [Key in Tag]: Outputs[Tag] };
}[keyof Outputs];

/**
 * One PCollection for each tag, with the values that stood under it, and their coder if the input's is a
 * `TaggedCoder`. Bounded if its input is. A step
 * with several outputs under Beam's ParDo URN, so that every runner can take it.
 */
export function split<Outputs extends object>(
  tags: readonly (keyof Outputs & string)[],
): StepOf<PCollection<Tagged<Outputs>>, TaggedOutputs<Outputs>> {
  const expand: StepOf<PCollection<Tagged<Outputs>>, TaggedOutputs<Outputs>> = (input, pipeline, proto) => {
    const coders = coderIdsByTag(pipeline, input);
    const part = registeredParDo<Tagged<Outputs>, Outputs>(SPLIT_FN, { tags }, { outputs: tags, coders });
    return part(input, pipeline, proto);
  };
  return mustBeNamed("a split", expand);
}

/** What a coder of tagged elements says of each tag; any other says nothing. */
function coderIdsByTag(pipeline: Pipeline, input: PCollection<unknown>): Readonly<Record<string, string>> {
  const { spec, componentCoderIds } =
    pipeline.getProto().components!.coders[coderIdOfCollection(pipeline, input)]!;
  if (spec?.urn !== TaggedCoder.URN) return {};
  return Object.fromEntries(tagsOf(spec.payload).map((tag, place) => [tag, componentCoderIds[place]!]));
}

export type SplitConfig = { readonly tags: readonly string[] };

/** Emits the value of an element to the output that the element's key names. */
export class SplitFn implements DoFn<Readonly<Record<string, unknown>>> {
  constructor(private readonly config: SplitConfig) {}

  /** @throws when the element carries none of the tags. */
  process(element: Readonly<Record<string, unknown>>, context: ProcessContext): void {
    for (const tag of this.config.tags) {
      const value = element[tag];
      if (value === undefined) continue;
      context.outputTo(tag, value);
      return;
    }
    const { tags } = this.config;
    throw new Error(
      `split takes one of the tags ${tags.join(", ")}, got ${Object.keys(element).join(", ") || "none"}`,
    );
  }
}

export const SPLIT_FN = registerDoFn("split@1", (config: SplitConfig) => new SplitFn(config));
