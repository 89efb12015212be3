/** deduplicateBy: lets one element pass for each value that stands for it, and the next one only after a time. */
import { WITH_REPRESENTATIVES_FN } from "./deduplicate-by-fn.js";
import { deduplicatePerKey } from "./deduplicate-per-key.js";
import { checkHorizon, type DeduplicatePerKeyOptions } from "./deduplicate-per-key-fn.js";
import { type Coder, P, type PCollection, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import type { JsonValue } from "./primitives/fn-registry.js";
import { coderIdOfCollection, coderIdOrGeneral, kvCoderId } from "./primitives/graph-coders.js";
import { registeredParDo, type StepOf } from "./primitives/par-do.js";
import type { KV } from "./primitives/window.js";
import { VALUES_FN } from "./values-fn.js";

export const DEDUPLICATE_BY_URN = "millrace:transform:deduplicate_by:v1";

export type DeduplicateByOptions = DeduplicatePerKeyOptions & {
  /** Of the representative values; by default the SDK's general one. */
  readonly coder?: Coder<unknown>;
};

/**
 * As `deduplicatePerKey`, by what the function registered as `fn` gives for each element: Beam's
 * `Deduplicate.withRepresentativeValueFn`. Elements keep their coder, event times and windows.
 * @throws as `deduplicatePerKey`
 */
export function deduplicateBy<T>(
  fn: string,
  config: JsonValue,
  { horizon, coder }: DeduplicateByOptions,
): StepOf<PCollection<T>, PCollection<T>> {
  checkHorizon(horizon);
  return composite(DEDUPLICATE_BY_URN, { fn, config, horizon }, (input) => {
    const { pipeline } = input;
    const elementCoderId = coderIdOfCollection(pipeline, input);
    const keyed = { main: kvCoderId(pipeline, coderIdOrGeneral(pipeline, coder), elementCoderId) };
    const withRepresentatives = registeredParDo<T, KV<unknown, T>>(
      WITH_REPRESENTATIVES_FN,
      { fn, config },
      { coders: keyed },
    );
    const values = registeredParDo<KV<unknown, T>, T>(VALUES_FN, null, { coders: { main: elementCoderId } });
    const kept = P(input)
      .apply(withName("WithRepresentatives", withRepresentatives))
      .apply(withName("DeduplicatePerKey", deduplicatePerKey<unknown, T>({ horizon })));
    return P(kept).apply(withName("Values", values));
  });
}
