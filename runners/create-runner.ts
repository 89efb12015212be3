/** From a runner's name to a runner. */
import { type Runner as BeamRunner, createSdkRunner } from "../transforms/primitives/beam.js";
import { type DirectRunnerOptions, directRunner } from "./direct/beam-runner.js";
import { type PortableRunnerOptions, portableRunner } from "./portable/portable-runner.js";

/** Options of the runner, and its name if it is not the direct one. */
export interface CreateRunnerOptions extends DirectRunnerOptions {
  readonly runner?: string;
  readonly [option: string]: unknown;
}

/** Job servers take pipelines alike, whatever runs behind them. */
const PORTABLE = new Set(["spark", "flink", "prism", "portable"]);

/**
 * Stands in for the SDK's function of that name. `default` and `direct` are this package's direct
 * runner; `spark`, `flink`, `prism` and `portable` are its portable runner, whose options they take; another name is
 * left to the SDK, with all options.
 */
export function createRunner(options: CreateRunnerOptions = {}): BeamRunner {
  const { runner = "default" } = options;
  if (runner === "default" || runner === "direct") return directRunner(options);
  if (PORTABLE.has(runner)) {
    const { runner: _, ...portable } = options;
    return portableRunner(portable as unknown as PortableRunnerOptions);
  }
  return createSdkRunner(options);
}
