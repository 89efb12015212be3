/** validate: parts records into values that satisfy a schema and dead letters that say why not. */
import type { DeadLetter, InputRecord, Sourced } from "./input-record.js";
import { P, type PCollection, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import { registeredParDo, type StepOf, type TaggedOutputs } from "./primitives/par-do.js";
import { DeadLetterCoder, SourcedCoder } from "./record-coders.js";
import { split, type Tagged } from "./split.js";
import { TaggedCoder } from "./tagged-coder.js";

export const VALIDATE_URN = "millrace:transform:validate:v1";

/** What validation parts its input into. */
export type Validation<T> = { readonly valid: Sourced<T>; readonly invalid: DeadLetter };

/**
 * Validates each record against the schema registered under `schema`; every record comes out once, on
 * one of the two outputs. Keeps event times. Bounded if its input is.
 */
export function validate<T>(schema: string): StepOf<PCollection<InputRecord>, TaggedOutputs<Validation<T>>> {
  return composite(VALIDATE_URN, { schema }, (records) => {
    const check = registeredParDo<InputRecord, Tagged<Validation<T>>>(
      "validate@1",
      { schema },
      { coders: { main: new TaggedCoder({ valid: new SourcedCoder<T>(), invalid: new DeadLetterCoder() }) } },
    );
    const checked = P(records).apply(withName("Check", check));
    return P(checked).apply(withName("Split", split<Validation<T>>(["valid", "invalid"])));
  });
}
