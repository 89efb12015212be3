/** writeDeadLetters: keeps the records that could not become rows, with the reason. */
import type { DeadLetter } from "./input-record.js";
import { P, type PCollection, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import { flattenAll } from "./primitives/flatten-all.js";
import { registeredParDo, type StepOf } from "./primitives/par-do.js";

export const WRITE_DEAD_LETTERS_URN = "millrace:transform:write_dead_letters:v1";

export type WriteDeadLettersOptions = {
  /** Directory of the NDJSON files. */
  readonly errorDir: string;
};

/**
 * Writes dead letters from any number of steps, all bounded or all unbounded, to the table
 * `dead_letters` and to files in `errorDir`, in both exactly once on a host that commits epochs.
 */
export function writeDeadLetters(
  options: WriteDeadLettersOptions,
): StepOf<readonly PCollection<DeadLetter>[], Record<string, never>> {
  return composite(WRITE_DEAD_LETTERS_URN, options, (letters) => {
    const all = P([...letters]).apply(withName("Flatten", flattenAll<DeadLetter>()));
    const write = registeredParDo<DeadLetter, Record<never, never>>("write_dead_letters@1", options, {
      outputs: [],
      requestsFinalization: true, // a file gets its final name after the commit
    });
    P(all).apply(withName("Write", write));
    return {};
  });
}
