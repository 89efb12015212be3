/** From a runner's name to a runner. */
import type { Runner } from "./job/runner.js";

/** Names that `createRunner` takes. */
export const RUNNER_NAMES = ["direct"] as const;
export type RunnerName = (typeof RUNNER_NAMES)[number];

/** Loads a runner by name; each is its own module, so that none costs start-up time unused. */
export async function createRunner(name: RunnerName): Promise<Runner> {
  switch (name) {
    case "direct": {
      const { DirectRunner } = await import("./direct/direct-runner.js");
      return new DirectRunner();
    }
  }
}
