/** Runs a fast-check property; a failure prints its seed, and FAST_CHECK_SEED=<seed> runs the same cases again. */
import fc from "fast-check";

/** @throws Error with seed and counterexample when a case fails */
export function checkProperty<Values>(property: fc.IRawProperty<Values>, numRuns: number): void {
  const seed = process.env["FAST_CHECK_SEED"];
  fc.assert(property, seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) });
}
