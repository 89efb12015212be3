/** top: the largest or smallest so many, of all elements or of each key's values. */
import { combineGlobally, type GloballyOptions } from "./combine-globally.js";
import { checkOrdering, type Ordering } from "./ordering.js";
import { P, type PCollection, type Pipeline, withName } from "./primitives/beam.js";
import { combinePerKey } from "./primitives/combine-per-key.js";
import { composite } from "./primitives/composite.js";
import {
  coderIdOf,
  coderIdOfCollection,
  coderToJson,
  ITERABLE_CODER_URN,
  kvCoderParts,
} from "./primitives/graph-coders.js";
import { type StepOf, withKeyCoderIfNone } from "./primitives/par-do.js";
import type { KV } from "./primitives/window.js";
import { TOP_FN } from "./top-fn.js";

export const TOP_GLOBALLY_URN = "millrace:transform:top_globally:v1";
export const TOP_PER_KEY_URN = "millrace:transform:top_per_key:v1";

type TopGlobally<T> = StepOf<PCollection<T>, PCollection<T[]>>;
type TopPerKey<K, V> = StepOf<PCollection<KV<K, V>>, PCollection<KV<K, V[]>>>;

/**
 * Beam's `Top`, per window and pane: arrays of `count` values, or of all where there are fewer, the largest (or
 * smallest) first. Of values that compare as equal the one with the greater (or smaller) encoding comes first, so
 * that the result does not depend on the order in which they come; Beam leaves that open. Keeps at most `count`
 * values a key and part of the input. Bounded if its input is.
 *
 * All throw when `count` is no whole number of at least 1, or the ordering none; while they run, on values that have
 * no order between them. Those of all elements give `[]` for none, in the global window, or nothing with
 * `withoutDefaults`, and throw as `combineGlobally`.
 */
export const top = {
  /** The largest elements by an ordering. */
  of: <T>(count: number, order: Ordering, options: GloballyOptions = {}): TopGlobally<T> =>
    globally("top.of", count, order, true, options),
  /** The largest values of each key by an ordering. */
  perKey: <K, V>(count: number, order: Ordering): TopPerKey<K, V> => perKey("top.perKey", count, order, true),
  /** The largest elements by their natural order. */
  largest: <T>(count: number, options: GloballyOptions = {}): TopGlobally<T> =>
    globally("top.largest", count, {}, true, options),
  /** The smallest elements, the smallest first, by their natural order or another. */
  smallest: <T>(count: number, order: Ordering = {}, options: GloballyOptions = {}): TopGlobally<T> =>
    globally("top.smallest", count, order, false, options),
  /** The largest values of each key by their natural order. */
  largestPerKey: <K, V>(count: number): TopPerKey<K, V> => perKey("top.largestPerKey", count, {}, true),
  /** The smallest values of each key, the smallest first, by their natural order or another. */
  smallestPerKey: <K, V>(count: number, order: Ordering = {}): TopPerKey<K, V> =>
    perKey("top.smallestPerKey", count, order, false),
};

function globally<T>(
  what: string,
  count: number,
  order: Ordering,
  largest: boolean,
  { withoutDefaults = false }: GloballyOptions,
): TopGlobally<T> {
  check(what, count, order);
  return composite(TOP_GLOBALLY_URN, { count, order, largest, withoutDefaults }, (input) => {
    const { pipeline } = input;
    const { coder, list } = codersOf(pipeline, coderIdOfCollection(pipeline, input));
    const combine = combineGlobally<T, T[]>(
      TOP_FN,
      { count, order, largest, coder },
      { withoutDefaults, coders: { accumulator: list, output: list } },
    );
    return P(input).apply(withName("Combine", combine));
  });
}

function perKey<K, V>(what: string, count: number, order: Ordering, largest: boolean): TopPerKey<K, V> {
  check(what, count, order);
  return composite(TOP_PER_KEY_URN, { count, order, largest }, (input) => {
    const { pipeline } = input;
    const keyed = withKeyCoderIfNone(input);
    const { coder, list } = codersOf(pipeline, kvCoderParts(pipeline, keyed)!.valueCoderId);
    const combine = combinePerKey<K, V, V[]>(
      TOP_FN,
      { count, order, largest, coder },
      { accumulator: list, output: list },
    );
    return P(keyed).apply(withName("Combine", combine));
  });
}

function check(what: string, count: number, order: Ordering): void {
  if (!(Number.isSafeInteger(count) && count >= 1)) {
    throw new Error(`count of ${what} must be a whole number of at least 1, got ${count}`);
  }
  checkOrdering(what, order);
}

function codersOf(pipeline: Pipeline, valueCoderId: string) {
  const coder = coderToJson(pipeline.getProto().components!.coders, valueCoderId);
  return { coder, list: coderIdOf(pipeline, ITERABLE_CODER_URN, valueCoderId) };
}
