/** deduplicatePerKey: lets one element of each key pass, and the next one only after a time. */
import {
  checkHorizon,
  DEDUPLICATE_PER_KEY_FN,
  type DeduplicatePerKeyOptions,
} from "./deduplicate-per-key-fn.js";
import { P, type PCollection, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import { coderIdOfCollection } from "./primitives/graph-coders.js";
import { registeredParDo, type StepOf, withKeyCoderIfNone } from "./primitives/par-do.js";
import type { KV } from "./primitives/window.js";

export const DEDUPLICATE_PER_KEY_URN = "millrace:transform:deduplicate_per_key:v1";

/**
 * Drops the elements of keys that are remembered, and counts them (counter `duplicates`): Beam's
 * `Deduplicate.keyedValues`. The element that passes first is the one that comes first, whatever its time.
 *
 * Keys are equal where their encodings are. They are remembered by window, so an element in several windows
 * passes in each of them by itself. State: one boolean and one timer for each key of the horizon, removed
 * behind it, at the latest with the window. Keeps event times and holds no watermark. Bounded if its input is.
 *
 * An element so late that its event-time horizon is behind the watermark already may be forgotten at once:
 * whether a repeat right behind it is dropped depends on how bundles are cut.
 *
 * @throws when `durationMs` is not a positive number, or `timeDomain` none of the two
 */
export function deduplicatePerKey<K, V>({
  horizon,
}: DeduplicatePerKeyOptions): StepOf<PCollection<KV<K, V>>, PCollection<KV<K, V>>> {
  checkHorizon(horizon);
  return composite(DEDUPLICATE_PER_KEY_URN, { horizon }, (input) => {
    const keyed = withKeyCoderIfNone(input);
    const coders = { main: coderIdOfCollection(keyed.pipeline, keyed) };
    const dropRepeats = registeredParDo<KV<K, V>, KV<K, V>>(DEDUPLICATE_PER_KEY_FN, { horizon }, { coders });
    return P(keyed).apply(withName("DropRepeats", dropRepeats));
  });
}
