/** What a grouping combines its values with as they come, so that it keeps one accumulator of a key and window. */
import type { ValueCodec } from "./durable/state-codec.js";
import { type KeyWindow, NO_VALUES } from "./key-window.js";

/** Beam's CombineFn up to the accumulator: whoever reads the panes extracts the output from it. */
export interface GroupCombiner {
  createAccumulator(): unknown;
  /** May change the accumulator and give it back. */
  addInput(accumulator: unknown, value: unknown): unknown;
  /** May change the first one and give it back; the others are not used any more. */
  mergeAccumulators(accumulators: readonly unknown[]): unknown;
  /** Shares nothing with the accumulator that may change. */
  copy(accumulator: unknown): unknown;
  /** Of accumulators, for records. */
  readonly codec: ValueCodec;
}

export function addInput(combiner: GroupCombiner, entry: KeyWindow, value: unknown): void {
  if (entry.values === NO_VALUES) entry.values = [combiner.addInput(combiner.createAccumulator(), value)];
  else entry.values[0] = combiner.addInput(entry.values[0], value);
}

/** The accumulators of windows that become one, as the values of that window. */
export function mergedValues(combiner: GroupCombiner, sources: readonly KeyWindow[]): unknown[] {
  const inOrder = [...sources].sort((a, b) => a.firstArrival - b.firstArrival);
  const accumulators = inOrder.flatMap(({ values }) => values);
  if (accumulators.length === 0) return NO_VALUES;
  return accumulators.length === 1 ? accumulators : [combiner.mergeAccumulators(accumulators)];
}
