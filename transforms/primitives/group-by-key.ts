/** groupByKey: all values of a key and window together, as often as the trigger says. */
import { P, type PCollection, type Pipeline, runnerApi, withName } from "./beam.js";
import { coderIdOf, ITERABLE_CODER_URN, kvCoderId, kvCoderParts } from "./graph-coders.js";
import { createOutput, isBounded, mustBeNamed, type StepOf, withKeyCoder } from "./par-do.js";
import { windowingStrategyIdOf } from "./par-do-payload.js";
import { continuationOf, defaultTrigger } from "./triggers.js";
import type { KV } from "./window.js";

export const GROUP_BY_KEY_URN = "beam:transform:group_by_key:v1";

/**
 * Groups `{ key, value }` by key and window. Keys are compared by their encoding. An input without a KV
 * coder gets one first; the step is then a composite: `<name>/WithKeyCoder`, `<name>/GroupByKey`.
 */
export function groupByKey<K, V>(): StepOf<PCollection<KV<K, V>>, PCollection<KV<K, Iterable<V>>>> {
  type Out = PCollection<KV<K, Iterable<V>>>;
  const expand: StepOf<PCollection<KV<K, V>>, Out> = (input, pipeline, proto) => {
    proto.environmentId = "";
    const parts = kvCoderParts(pipeline, input);
    if (parts === undefined) {
      const keyed = P(input as PCollection<unknown>).apply(withName("WithKeyCoder", withKeyCoder()));
      return P(keyed as PCollection<KV<K, V>>).apply(withName("GroupByKey", groupByKey<K, V>()));
    }
    proto.spec = { urn: GROUP_BY_KEY_URN, payload: new Uint8Array() };
    const values = coderIdOf(pipeline, ITERABLE_CODER_URN, parts.valueCoderId);
    const coderId = kvCoderId(pipeline, parts.keyCoderId, values);
    const strategyId = groupedStrategyId(pipeline, windowingStrategyIdOf(pipeline, input));
    return createOutput(pipeline, isBounded(pipeline, input), coderId, strategyId) as Out;
  };
  return mustBeNamed("a groupByKey", expand);
}

/** Windows are merged now, and a next grouping waits for nothing that this one has waited for. */
function groupedStrategyId(pipeline: Pipeline, strategyId: string): string {
  const { NEEDS_MERGE, ALREADY_MERGED } = runnerApi.MergeStatus_Enum;
  const strategy = pipeline.getProto().components!.windowingStrategies[strategyId]!;
  const trigger = strategy.trigger ?? defaultTrigger();
  const isMerging = strategy.mergeStatus === NEEDS_MERGE;
  const isSame = !isMerging && (trigger.trigger.oneofKind ?? "default") === "default";
  if (isSame) return strategyId;
  return pipeline.context.getWindowingStrategyId({
    ...strategy,
    mergeStatus: isMerging ? ALREADY_MERGED : strategy.mergeStatus,
    trigger: continuationOf(trigger),
  });
}
