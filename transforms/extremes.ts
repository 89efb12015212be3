/** min and max: the smallest and the largest of all elements, or of each key's values. */
import type { GloballyOptions } from "./combine-globally.js";
import { oneGlobally, onePerKey, type ToOne } from "./combine-to-one.js";
import { compareNaturally } from "./ordering.js";
import type { PCollection, Pipeline } from "./primitives/beam.js";
import { registerCombineFn } from "./primitives/combine-per-key.js";
import { composite } from "./primitives/composite.js";
import {
  coderIdOf,
  coderIdOfCollection,
  ITERABLE_CODER_URN,
  kvCoderParts,
} from "./primitives/graph-coders.js";
import { type StepOf, withKeyCoderIfNone } from "./primitives/par-do.js";
import type { CombineFn } from "./primitives/state-spec.js";
import type { KV } from "./primitives/window.js";

/** What has a natural order; one kind only in one PCollection. */
export type Comparable = number | bigint | string | boolean | Date;

/** None, or the most extreme so far. */
type Extreme = readonly Comparable[];

function extremeFn(sign: 1 | -1): CombineFn<Comparable, Extreme, Extreme> {
  const addInput = (extreme: Extreme, input: Comparable): Extreme => {
    const [known = input] = extreme;
    return extreme.length > 0 && sign * compareNaturally(input, known) <= 0 ? extreme : [input];
  };
  return {
    createAccumulator: () => [],
    addInput,
    mergeAccumulators: (extremes) => {
      let merged: Extreme = [];
      for (const [one] of extremes) if (one !== undefined) merged = addInput(merged, one);
      return merged;
    },
    extractOutput: (extreme) => extreme,
  };
}

const MIN_FN = registerCombineFn("min@1", (_config: null) => extremeFn(-1));
const MAX_FN = registerCombineFn("max@1", (_config: null) => extremeFn(1));

/**
 * Beam's `Min`, per window and pane. Numbers (NaN above all, as in Beam for Java), bigints, strings by their UTF-16
 * units, booleans, Dates: an element of another kind, or of two kinds, fails the step. Outputs have the coder of
 * their inputs.
 */
export const min = extreme("min", MIN_FN);
/** Beam's `Max`, as `min`. */
export const max = extreme("max", MAX_FN);

function extreme(name: string, fn: string) {
  const toOne = (pipeline: Pipeline, valueCoderId: string): ToOne => ({
    ...{ fn, config: null, output: valueCoderId },
    accumulator: coderIdOf(pipeline, ITERABLE_CODER_URN, valueCoderId),
  });
  return {
    /** Of all elements; null for none, in the global window, or nothing with `withoutDefaults`. @throws as `combineGlobally` */
    globally<T extends Comparable>(
      options: GloballyOptions = {},
    ): StepOf<PCollection<T>, PCollection<T | null>> {
      const { withoutDefaults = false } = options;
      return composite(`millrace:transform:${name}_globally:v1`, { withoutDefaults }, (input) => {
        const { pipeline } = input;
        return oneGlobally<T, T>(
          input,
          toOne(pipeline, coderIdOfCollection(pipeline, input)),
          withoutDefaults,
        );
      });
    },

    /** Of the values of each key; nothing for an empty pane. */
    perKey<K, V extends Comparable>(): StepOf<PCollection<KV<K, V>>, PCollection<KV<K, V>>> {
      return composite(`millrace:transform:${name}_per_key:v1`, null, (input) => {
        const keyed = withKeyCoderIfNone(input);
        const { valueCoderId } = kvCoderParts(input.pipeline, keyed)!;
        return onePerKey<K, V, V>(keyed, toOne(input.pipeline, valueCoderId));
      });
    },
  };
}
