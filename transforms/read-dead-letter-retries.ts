/** readDeadLetterRetries: the records of the dead letters that somebody asked to try again. */
import type { DeadLetter, InputRecord } from "./input-record.js";
import { impulse, P, type Root, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import type { StepOf, TaggedOutputs } from "./primitives/par-do.js";
import { splittableParDo } from "./primitives/splittable-par-do.js";
import type { ReadDeadLetterRetriesConfig } from "./read-dead-letter-retries-fn.js";
import { DeadLetterCoder, InputRecordCoder } from "./record-coders.js";

export const READ_DEAD_LETTER_RETRIES_URN = "millrace:transform:read_dead_letter_retries:v1";

/** What the source gives for each retry: its record, and its letter, which the record's commit marks. */
export type DeadLetterRetries = { readonly records: InputRecord; readonly letters: DeadLetter };

/**
 * Reads the pending retries of the pipeline's dead letters, each once: `records` goes the way of the records of the
 * files, `letters` to the `writeDeadLetters` behind them, which says in the letter's row what became of its record, in
 * the transaction that made it so. Unbounded in mode `stream`; in mode `available-now` it ends with what was asked for
 * before the start, and is bounded. For hosts whose bundles do not repeat.
 */
export function readDeadLetterRetries(
  options: ReadDeadLetterRetriesConfig,
  mode: "stream" | "available-now" = "stream",
): StepOf<Root, TaggedOutputs<DeadLetterRetries>> {
  const config = { ...options, format: { ...options.format } };
  return composite(READ_DEAD_LETTER_RETRIES_URN, config, (root) => {
    const start = root.apply(withName("Impulse", impulse()));
    const read = splittableParDo<Uint8Array, DeadLetterRetries>("read_dead_letter_retries@1", config, {
      bounded: mode === "available-now",
      outputs: ["records", "letters"],
      coders: { records: new InputRecordCoder(), letters: new DeadLetterCoder() },
      requestsFinalization: true, // a retry that is not known to be committed must not be read again
    });
    return P(start).apply(withName("ReadRequests", read));
  });
}
