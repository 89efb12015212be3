/** The seed of property tests: fast-check's own, printed when a property fails, or `FAST_CHECK_SEED`. */
import type fc from "fast-check";

/** Parameters for `fc.assert`; `FAST_CHECK_SEED=… npx mocha …` repeats a run. */
export function seeded<T>(parameters: fc.Parameters<T> = {}): fc.Parameters<T> {
  const seed = process.env["FAST_CHECK_SEED"];
  return seed === undefined ? parameters : { ...parameters, seed: Number(seed) };
}
