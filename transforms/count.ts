/** count: how many elements there are, of all, by key, or of each kind. */
import { combineGlobally, type GloballyOptions } from "./combine-globally.js";
import { P, type PCollection, withName } from "./primitives/beam.js";
import { combinePerKey, registerCombineFn } from "./primitives/combine-per-key.js";
import { composite } from "./primitives/composite.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { coderIdOfCollection, kvCoderId } from "./primitives/graph-coders.js";
import { registeredParDo, type StepOf } from "./primitives/par-do.js";
import type { CombineFn } from "./primitives/state-spec.js";
import type { KV } from "./primitives/window.js";

export const COUNT_PER_ELEMENT_URN = "millrace:transform:count_per_element:v1";

const countFn: CombineFn<unknown, number, number> = {
  createAccumulator: () => 0,
  addInput: (count) => count + 1,
  mergeAccumulators: (counts) => {
    let all = 0;
    for (const one of counts) all += one;
    return all;
  },
  extractOutput: (count) => count,
};

/** The CombineFn of `count`, for `combinePerKey` and `combineGlobally`. Takes no configuration: null. */
export const COUNT_FN = registerCombineFn("count@1", (_config: null) => countFn);

/** Beam's `Count`, per window and pane. */
export const count = {
  /** Of all elements; 0 for none, in the global window. @throws as `combineGlobally` */
  globally<T>(options: GloballyOptions = {}): StepOf<PCollection<T>, PCollection<number>> {
    return combineGlobally<T, number>(COUNT_FN, null, options);
  },

  /** Of the values of each key. */
  perKey<K, V>(): StepOf<PCollection<KV<K, V>>, PCollection<KV<K, number>>> {
    return combinePerKey<K, V, number>(COUNT_FN, null);
  },

  /** Each element once, as key of how often there was one of the same encoding. */
  perElement<T>(): StepOf<PCollection<T>, PCollection<KV<T, number>>> {
    return composite(COUNT_PER_ELEMENT_URN, null, (input) => {
      const { pipeline } = input;
      const coders = { main: kvCoderId(pipeline, coderIdOfCollection(pipeline, input)) };
      const keyed = P(input).apply(
        withName("Key", registeredParDo<T, KV<T, null>>(ELEMENT_AS_KEY_FN, null, { coders })),
      );
      return P(keyed).apply(withName("Count", count.perKey<T, null>()));
    });
  },
};

class ElementAsKeyFn implements DoFn {
  process(element: unknown, context: ProcessContext): void {
    context.output({ key: element, value: null });
  }
}

const ELEMENT_AS_KEY_FN = registerDoFn("count/element-as-key@1", (_config: null) => new ElementAsKeyFn());
