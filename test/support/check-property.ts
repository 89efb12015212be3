/** Runs a fast-check property; a failure prints its seed, and FAST_CHECK_SEED=<seed> runs the same cases again. */
import fc from "fast-check";

/** @throws Error with seed and counterexample when a case fails */
export function checkProperty<Values>(property: fc.IRawProperty<Values>, numRuns: number): void {
  fc.assert(property, runs(numRuns));
}

/** As `checkProperty`; rejects where that throws. */
export function checkAsyncProperty<Values>(
  property: fc.IAsyncProperty<Values>,
  numRuns: number,
): Promise<void> {
  return fc.assert(property, runs(numRuns));
}

function runs(numRuns: number): { readonly numRuns: number; readonly seed?: number } {
  const seed = process.env["FAST_CHECK_SEED"];
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) };
}
