/** The CombineFn of `top`: the first so many values of an order, and no more at any time. */
import { encodedOrder } from "./encoded-order.js";
import { comparisonOf, type Ordering } from "./ordering.js";
import { registerCombineFn } from "./primitives/combine-per-key.js";
import type { CoderJson } from "./primitives/graph-coders.js";
import type { CombineFn } from "./primitives/state-spec.js";

export type TopConfig = {
  readonly count: number;
  readonly order: Ordering;
  /** The largest come first, else the smallest. */
  readonly largest: boolean;
  /** Of the values, which decides between those that compare as equal. */
  readonly coder: CoderJson;
};

/** In the order in which they come out; never more than `count`. */
type TopAccumulator = readonly unknown[];

/**
 * An accumulator is a sorted array: a value that is not among the first costs one comparison, any other a binary
 * search and the shift of what comes behind it. Beam for Java keeps a heap, which has to be sorted in the end.
 */
export function topFn({
  count,
  order,
  largest,
  coder,
}: TopConfig): CombineFn<unknown, TopAccumulator, TopAccumulator> {
  const compare = comparisonOf(order);
  const compareEncoded = encodedOrder(coder);
  const sign = largest ? -1 : 1;
  const inOrder = (a: unknown, b: unknown) => sign * (compare(a, b) || compareEncoded(a, b));
  const add = (top: unknown[], value: unknown): void => {
    if (top.length === count) {
      if (inOrder(value, top[count - 1]) >= 0) return;
      top.pop();
    }
    top.splice(placeOf(top, value, inOrder), 0, value);
  };
  return {
    createAccumulator: () => [],
    addInput: (top, value) => {
      const grown = top as unknown[];
      add(grown, value);
      return grown;
    },
    mergeAccumulators: (accumulators) => {
      const merged: unknown[] = [];
      for (const top of accumulators) for (const value of top) add(merged, value);
      return merged;
    },
    // A copy: in a combining state the accumulator grows on.
    extractOutput: (top) => [...top],
  };
}

/** Behind all that come before it or are equal. */
function placeOf(
  sorted: readonly unknown[],
  value: unknown,
  inOrder: (a: unknown, b: unknown) => number,
): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (inOrder(value, sorted[middle]) < 0) to = middle;
    else from = middle + 1;
  }
  return from;
}

export const TOP_FN = registerCombineFn("top@1", topFn);
