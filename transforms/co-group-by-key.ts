/** coGroupByKey: the values that several PCollections have for a key, side by side. */
import { CoGroupCoder, tagsPayload, UnionCoder, type UnionValue } from "./co-group-coders.js";
import { P, type PCollection, type Pipeline, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { flattenAll } from "./primitives/flatten-all.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { coderIdOf, coderIdOfSpec, kvCoderId, kvCoderParts } from "./primitives/graph-coders.js";
import { groupByKey } from "./primitives/group-by-key.js";
import { mustBeNamed, registeredParDo, type StepOf, withKeyCoder } from "./primitives/par-do.js";
import type { KV } from "./primitives/window.js";

export const CO_GROUP_BY_KEY_URN = "millrace:transform:co_group_by_key:v1";

/** PCollections by tag, all of the same keys; `Values` are the types of their values by tag. */
export type KeyedInputs<K, Values> = { readonly [Tag in keyof Values]: PCollection<KV<K, Values[Tag]>> };

/** The values of a key by tag: an array for each tag, empty where that input has none. */
export type CoGroups<Values> = { [Tag in keyof Values]: Values[Tag][] };

/**
 * Beam's `CoGroupByKey`, applied to `P({ tag: pcollection, … })`: one element for each key, window and pane in which
 * any input has a value, `{ key, value: { tag: [values], … } }`. Values of a tag are in no particular order, and all
 * values of a key and window together are in memory. Inputs keep the coders of their values.
 *
 * A composite of a tagging ParDo for each input, Flatten, GroupByKey, and a ParDo that takes the tags apart; exactly
 * once where the GroupByKey is. All inputs bounded or none, and of the same windows and trigger.
 *
 * @throws when keys have different coders, or bounded is mixed with unbounded, windows or triggers
 * with others
 */
export function coGroupByKey<K, Values extends object>(): StepOf<
  KeyedInputs<K, Values>,
  PCollection<KV<K, CoGroups<Values>>>
> {
  const expand: StepOf<KeyedInputs<K, Values>, PCollection<KV<K, CoGroups<Values>>>> = (
    inputs,
    pipeline,
    proto,
  ) => {
    const tags = Object.keys(inputs) as (keyof Values & string)[];
    const marked = composite<KeyedInputs<K, Values>, PCollection<KV<K, CoGroups<Values>>>>(
      CO_GROUP_BY_KEY_URN,
      { tags },
      (given) => coGroup<K, Values>(pipeline, tags, given, proto.uniqueName),
    );
    return marked(inputs, pipeline, proto);
  };
  return mustBeNamed("a coGroupByKey", expand);
}

function coGroup<K, Values extends object>(
  pipeline: Pipeline,
  tags: readonly (keyof Values & string)[],
  inputs: KeyedInputs<K, Values>,
  step: string,
): PCollection<KV<K, CoGroups<Values>>> {
  const keyed = tags.map((tag) => withKeys(pipeline, inputs[tag] as PCollection<unknown>, tag));
  const parts = keyed.map((one) => kvCoderParts(pipeline, one)!);
  const keyCoderId = commonKeyCoder(
    pipeline,
    step,
    tags,
    parts.map((part) => part.keyCoderId),
  );
  const valueCoderIds = parts.map((part) => part.valueCoderId);
  const coders = {
    main: kvCoderId(pipeline, keyCoderId, coderIdOf(pipeline, UnionCoder.URN, ...valueCoderIds)),
  };
  const unions = keyed.map((one, place) =>
    P(one).apply(
      withName(`Tag(${tags[place]})`, registeredParDo<unknown, unknown>(TAG_FN, place, { coders })),
    ),
  );
  const all = P(unions).apply(withName("Flatten", flattenAll<unknown>())) as PCollection<KV<K, UnionValue>>;
  const grouped = P(all).apply(withName("GroupByKey", groupByKey<K, UnionValue>()));
  const spec = { urn: CoGroupCoder.URN, payload: tagsPayload(tags) };
  const groupsCoderId = coderIdOfSpec(pipeline, spec, valueCoderIds);
  const untag = registeredParDo<KV<K, Iterable<UnionValue>>, KV<K, CoGroups<Values>>>(UNTAG_FN, [...tags], {
    coders: { main: kvCoderId(pipeline, keyCoderId, groupsCoderId) },
  });
  return P(grouped).apply(withName("Untag", untag));
}

function withKeys(pipeline: Pipeline, input: PCollection<unknown>, tag: string): PCollection<unknown> {
  if (kvCoderParts(pipeline, input) !== undefined) return input;
  return P(input).apply(withName(`WithKeyCoder(${tag})`, withKeyCoder()));
}

/** Equal keys have equal encodings only under one coder. */
function commonKeyCoder(
  pipeline: Pipeline,
  step: string,
  tags: readonly string[],
  ids: readonly string[],
): string {
  const [first] = ids;
  if (ids.every((id) => id === first)) return first!;
  const { coders } = pipeline.getProto().components!;
  const named = tags.map((tag, place) => `${tag}: ${coders[ids[place]!]!.spec?.urn}`).join(", ");
  throw new Error(`the keys of coGroupByKey "${step}" must have one coder, got ${named}`);
}

class TagFn implements DoFn<KV<unknown, unknown>> {
  constructor(private readonly place: number) {}

  process({ key, value }: KV<unknown, unknown>, context: ProcessContext): void {
    const union: UnionValue = { place: this.place, value };
    context.output({ key, value: union });
  }
}

class UntagFn implements DoFn<KV<unknown, Iterable<UnionValue>>> {
  constructor(private readonly tags: readonly string[]) {}

  process({ key, value: unions }: KV<unknown, Iterable<UnionValue>>, context: ProcessContext): void {
    const lists = this.tags.map((): unknown[] => []);
    for (const { place, value } of unions) lists[place]!.push(value);
    context.output({ key, value: Object.fromEntries(this.tags.map((tag, place) => [tag, lists[place]])) });
  }
}

const TAG_FN = registerDoFn("co-group-by-key/tag@1", (place: number) => new TagFn(place));
const UNTAG_FN = registerDoFn("co-group-by-key/untag@1", (tags: readonly string[]) => new UntagFn(tags));
