/** deduplicate: lets an event pass once. */
import type { Sourced } from "./input-record.js";
import type { PCollection } from "./primitives/beam.js";
import { registeredParDo, type StepOf } from "./primitives/par-do.js";

export type DeduplicateOptions = {
  /** The field of the value that identifies an event. */
  readonly key: string;
  /** How many accepted keys are remembered at the most, up to `HORIZON_RECORDS_MAX`; what is older passes again. */
  readonly horizon: { readonly records: number };
};

/**
 * Drops and counts values whose key was accepted within the horizon: a cache in front of the unique
 * key of a table, which has the last word. Keeps event times. Bounded if its input is.
 */
export function deduplicate<T>(
  options: DeduplicateOptions,
): StepOf<PCollection<Sourced<T>>, PCollection<Sourced<T>>> {
  return registeredParDo("deduplicate@1", options, {
    requestsFinalization: true, // a key counts as seen only once its row is committed
  });
}
