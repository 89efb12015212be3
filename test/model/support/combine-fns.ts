/** CombineFns of the scenarios, and the steps that combine with them. */
import { type PCollection, withName } from "../../../transforms/primitives/beam.js";
import { combinePerKey, registerCombineFn } from "../../../transforms/primitives/combine-per-key.js";
import type { StepOf } from "../../../transforms/primitives/par-do.js";
import type { KV } from "../../../transforms/primitives/window.js";

/** The sum of numbers; 0 of none. */
export const SUM = registerCombineFn("test/model/sum@1", () => ({
  createAccumulator: () => 0,
  addInput: (sum: number, input: number) => sum + input,
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (sum: number) => sum,
}));

/** How many there were. */
export const COUNT = registerCombineFn("test/model/count@1", () => ({
  createAccumulator: () => 0,
  addInput: (count: number) => count + 1,
  mergeAccumulators: (counts: Iterable<number>) => [...counts].reduce((a, b) => a + b, 0),
  extractOutput: (count: number) => count,
}));

/** The mean of numbers: its accumulator is neither an input nor an output. */
export const MEAN = registerCombineFn("test/model/mean@1", () => ({
  createAccumulator: () => [0, 0] as const,
  addInput: ([sum, count]: readonly [number, number], input: number) => [sum + input, count + 1] as const,
  mergeAccumulators: (accumulators: Iterable<readonly [number, number]>) =>
    [...accumulators].reduce(([sumA, countA], [sumB, countB]) => [sumA + sumB, countA + countB] as const, [
      0, 0,
    ] as readonly [number, number]),
  extractOutput: ([sum, count]: readonly [number, number]) => sum / count,
}));

type CombineNumbers = StepOf<PCollection<KV<string, number>>, PCollection<KV<string, number>>>;

export function sum(name = "Sum"): CombineNumbers {
  return withName(name, combinePerKey<string, number, number>(SUM, null));
}

export function count(name = "Count"): CombineNumbers {
  return withName(name, combinePerKey<string, number, number>(COUNT, null));
}

export function mean(name = "Mean"): CombineNumbers {
  return withName(name, combinePerKey<string, number, number>(MEAN, null));
}
