/** Groups whose values stand in a fixed order, so that scenarios compare exactly, and steps around them. */
import { P, type PCollection, withName } from "../../../transforms/primitives/beam.js";
import { flattenAll } from "../../../transforms/primitives/flatten-all.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import type { StepOf } from "../../../transforms/primitives/par-do.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { canonicalText } from "./canonical-text.js";
import { mapping } from "./local-do-fn.js";

/** GroupByKey, with the values of a group sorted: their order is nobody's promise. */
export function grouped<K, V>(input: PCollection<KV<K, V>>, name = "Group"): PCollection<KV<K, V[]>> {
  return input
    .apply(withName(name, groupByKey<K, V>()))
    .apply(
      mapping(`${name} sorted`, ({ key, value }: KV<K, Iterable<V>>) => ({ key, value: sorted(value) })),
    );
}

/** Numbers by size, anything else by its text. */
export function sorted<T>(values: Iterable<T>): T[] {
  return [...values].sort((a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    const [textOfA, textOfB] = [canonicalText(a), canonicalText(b)];
    return textOfA < textOfB ? -1 : textOfA > textOfB ? 1 : 0;
  });
}

/** Gives every element the same key. */
export function keyed<K, V>(key: K, name = "Key"): StepOf<PCollection<V>, PCollection<KV<K, V>>> {
  return mapping(name, (value: V) => ({ key, value }));
}

/** A named Flatten. */
export function both<T>(name: string, inputs: readonly PCollection<T>[]): PCollection<T> {
  return P([...inputs]).apply(withName(name, flattenAll<T>()));
}
