/** Combines values to the list of them, in place, so that whoever keeps an accumulator that another one changes is found out. */
import type { GroupCombiner } from "../../../../runners/engine/group-combiner.js";
import { JSON_CODEC } from "../durable/json-codec.js";

export const LIST_COMBINER: GroupCombiner = {
  createAccumulator: () => [],
  addInput: (list, value) => {
    (list as unknown[]).push(value);
    return list;
  },
  mergeAccumulators: ([first, ...others]) => {
    for (const other of others) (first as unknown[]).push(...(other as unknown[]).splice(0));
    return first;
  },
  copy: (list) => [...(list as unknown[])],
  codec: JSON_CODEC,
};
