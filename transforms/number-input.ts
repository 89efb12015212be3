/** What combines numbers takes nothing else: JavaScript would add a text to a number without a word. */
import { describe } from "./primitives/coders/coder-error.js";

/** The number itself. @throws when it is none; `what` names the transform */
export function checkNumber(what: string, input: unknown): number {
  if (typeof input === "number") return input;
  throw new TypeError(`${what} must be given numbers, got ${describe(input)}`);
}
