/** DoFns of the tests of workers: who runs, and ways not to end. Imported in the workers. */
import { registerDoFn } from "../../../../transforms/primitives/fn-registry.js";

/** Tells the process. */
export const PID = registerDoFn("test/worker-pid@1", () => ({ process: () => [process.pid] }));

/** Throws where nobody catches it. */
export const UNCAUGHT = registerDoFn("test/worker-uncaught@1", () => ({
  process: () => {
    setTimeout(() => {
      throw new RangeError("nobody catches this");
    });
    return new Promise<void>(() => undefined);
  },
}));

/** Lets nobody in. */
export const LOOP = registerDoFn("test/worker-loop@1", () => ({
  process: () => {
    for (;;);
  },
}));
