/**
 * Combines that choose one of their inputs, and have nothing to give where there is none: an empty pane (one that fires
 * on time though early ones took everything, say) would else be a null that the coder of the values cannot carry.
 */
import { combineGlobally } from "./combine-globally.js";
import { P, type PCollection, withName } from "./primitives/beam.js";
import { combinePerKey } from "./primitives/combine-per-key.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { type JsonValue, registerDoFn } from "./primitives/fn-registry.js";
import {
  coderIdOf,
  ITERABLE_CODER_URN,
  kvCoderId,
  kvCoderParts,
  NULLABLE_CODER_URN,
} from "./primitives/graph-coders.js";
import { registeredParDo } from "./primitives/par-do.js";
import type { KV } from "./primitives/window.js";

/** A registered CombineFn whose outputs are lists of none or one. */
export interface ToOne {
  readonly fn: string;
  readonly config: JsonValue;
  /** Ids of the coders of accumulators and of what is in the lists. */
  readonly accumulator: string;
  readonly output: string;
}

/** Steps `Combine` and `Each`: the one of all elements; null, or nothing with `withoutDefaults`, where there is none. */
export function oneGlobally<In, Out>(
  input: PCollection<In>,
  { fn, config, accumulator, output }: ToOne,
  withoutDefaults: boolean,
): PCollection<Out | null> {
  const { pipeline } = input;
  const lists = combineGlobally<In, Out[]>(fn, config, {
    withoutDefaults,
    coders: { accumulator, output: coderIdOf(pipeline, ITERABLE_CODER_URN, output) },
  });
  const main = withoutDefaults ? output : coderIdOf(pipeline, NULLABLE_CODER_URN, output);
  const each = registeredParDo<Out[], Out | null>(
    EACH_FN,
    { orNull: !withoutDefaults },
    { coders: { main } },
  );
  return P(P(input).apply(withName("Combine", lists))).apply(withName("Each", each));
}

/** Steps `Combine` and `Each`: the one of each key, nothing for an empty pane. The input must have a KV coder. */
export function onePerKey<K, In, Out>(
  input: PCollection<KV<K, In>>,
  { fn, config, accumulator, output }: ToOne,
): PCollection<KV<K, Out>> {
  const { pipeline } = input;
  const lists = combinePerKey<K, In, Out[]>(fn, config, {
    accumulator,
    output: coderIdOf(pipeline, ITERABLE_CODER_URN, output),
  });
  const coders = { main: kvCoderId(pipeline, kvCoderParts(pipeline, input)!.keyCoderId, output) };
  const each = registeredParDo<KV<K, Out[]>, KV<K, Out>>(EACH_VALUE_FN, null, { coders });
  return P(P(input).apply(withName("Combine", lists))).apply(withName("Each", each));
}

class EachFn implements DoFn<Iterable<unknown>> {
  readonly #orNull: boolean;

  constructor({ orNull }: { readonly orNull: boolean }) {
    this.#orNull = orNull;
  }

  process(list: Iterable<unknown>, context: ProcessContext): void {
    const values = [...list];
    if (values.length === 0 && this.#orNull) context.output(null);
    for (const value of values) context.output(value);
  }
}

class EachValueFn implements DoFn<KV<unknown, Iterable<unknown>>> {
  process({ key, value: list }: KV<unknown, Iterable<unknown>>, context: ProcessContext): void {
    for (const value of list) context.output({ key, value });
  }
}

const EACH_FN = registerDoFn(
  "combine-to-one/each@1",
  (config: { readonly orNull: boolean }) => new EachFn(config),
);
const EACH_VALUE_FN = registerDoFn("combine-to-one/each-value@1", (_config: null) => new EachValueFn());
