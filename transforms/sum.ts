/** sum: numbers added up, of all or by key. */
import { combineGlobally, type GloballyOptions } from "./combine-globally.js";
import { checkNumber } from "./number-input.js";
import type { PCollection } from "./primitives/beam.js";
import { combinePerKey, registerCombineFn } from "./primitives/combine-per-key.js";
import type { StepOf } from "./primitives/par-do.js";
import type { CombineFn } from "./primitives/state-spec.js";
import type { KV } from "./primitives/window.js";

const sumFn: CombineFn<number, number, number> = {
  createAccumulator: () => 0,
  addInput: (sum, input) => sum + checkNumber("sum", input),
  mergeAccumulators: (sums) => {
    let all = 0;
    for (const one of sums) all += one;
    return all;
  },
  extractOutput: (sum) => sum,
};

/** The CombineFn of `sum`, for `combinePerKey` and `combineGlobally`. Takes no configuration: null. */
export const SUM_FN = registerCombineFn("sum@1", (_config: null) => sumFn);

/** Beam's `Sum`, per window and pane. Doubles, with the limits of `mean`. */
export const sum = {
  /** Of all elements; 0 for none, in the global window. @throws as `mean.globally` */
  globally(options: GloballyOptions = {}): StepOf<PCollection<number>, PCollection<number>> {
    return combineGlobally<number, number>(SUM_FN, null, options);
  },

  /** Of the values of each key. @throws while it runs, on a value that is no number */
  perKey<K>(): StepOf<PCollection<KV<K, number>>, PCollection<KV<K, number>>> {
    return combinePerKey<K, number, number>(SUM_FN, null);
  },
};
