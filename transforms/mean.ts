/** mean: the arithmetic mean of numbers, of all or by key. */
import { combineGlobally, type GloballyOptions } from "./combine-globally.js";
import { checkNumber } from "./number-input.js";
import type { PCollection } from "./primitives/beam.js";
import { combinePerKey, registerCombineFn } from "./primitives/combine-per-key.js";
import type { StepOf } from "./primitives/par-do.js";
import type { CombineFn } from "./primitives/state-spec.js";
import type { KV } from "./primitives/window.js";

/** Sum and number of what was added. */
type MeanAccumulator = readonly [sum: number, count: number];

const meanFn: CombineFn<number, MeanAccumulator, number> = {
  createAccumulator: () => [0, 0],
  addInput: ([sum, count], input) => [sum + checkNumber("mean", input), count + 1],
  mergeAccumulators: (accumulators) => {
    let [sum, count] = [0, 0];
    for (const [otherSum, otherCount] of accumulators) {
      sum += otherSum;
      count += otherCount;
    }
    return [sum, count];
  },
  extractOutput: ([sum, count]) => sum / count,
};

/** The CombineFn of `mean`, for `combinePerKey` and `combineGlobally`. Takes no configuration: null. */
export const MEAN_FN = registerCombineFn("mean@1", (_config: null) => meanFn);

/**
 * Beam's `Mean`, per window and pane. The sum is a double, so of numbers above 2^53 the last digits are rounded, and
 * of fractions they depend on the order in which a runner adds them.
 */
export const mean = {
  /**
   * Of all elements. NaN for none, in the global window, as in Beam; nothing with `withoutDefaults`.
   * @throws as `combineGlobally`; while it runs, on an element that is no number
   */
  globally(options: GloballyOptions = {}): StepOf<PCollection<number>, PCollection<number>> {
    return combineGlobally<number, number>(MEAN_FN, null, options);
  },

  /** Of the values of each key. @throws while it runs, on a value that is no number */
  perKey<K>(): StepOf<PCollection<KV<K, number>>, PCollection<KV<K, number>>> {
    return combinePerKey<K, number, number>(MEAN_FN, null);
  },
};
