/** min and max: the smallest and the largest of all elements, or of each key's values. */
import { combineGlobally, type GloballyOptions } from "./combine-globally.js";
import { compareNaturally } from "./ordering.js";
import type { PCollection } from "./primitives/beam.js";
import { combinePerKey, registerCombineFn } from "./primitives/combine-per-key.js";
import type { StepOf } from "./primitives/par-do.js";
import type { CombineFn } from "./primitives/state-spec.js";
import type { KV } from "./primitives/window.js";

/** What has a natural order; one kind only in one PCollection. */
export type Comparable = number | bigint | string | boolean | Date;

/** None, or the most extreme so far. */
type Extreme = readonly Comparable[];

function extremeFn(sign: 1 | -1): CombineFn<Comparable, Extreme, Comparable | null> {
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
    extractOutput: ([known]) => known ?? null,
  };
}

/** The CombineFns of `min` and `max`, for `combinePerKey` and `combineGlobally`. They take no configuration: null. */
export const MIN_FN = registerCombineFn("min@1", (_config: null) => extremeFn(-1));
export const MAX_FN = registerCombineFn("max@1", (_config: null) => extremeFn(1));

/**
 * Beam's `Min`, per window and pane. Numbers (NaN above all, as in Beam for Java), bigints, strings by their UTF-16
 * units, booleans, Dates: an element of another kind, or of two kinds, fails the step.
 */
export const min = extreme(MIN_FN);
/** Beam's `Max`, as `min`. */
export const max = extreme(MAX_FN);

function extreme(fn: string) {
  return {
    /** Of all elements; null for none, in the global window, or nothing with `withoutDefaults`. @throws as `combineGlobally` */
    globally: <T extends Comparable>(
      options: GloballyOptions = {},
    ): StepOf<PCollection<T>, PCollection<T | null>> => combineGlobally<T, T | null>(fn, null, options),

    /** Of the values of each key. */
    perKey: <K, V extends Comparable>(): StepOf<PCollection<KV<K, V>>, PCollection<KV<K, V>>> =>
      combinePerKey<K, V, V>(fn, null),
  };
}
