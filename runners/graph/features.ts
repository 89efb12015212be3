/** What a graph asks of its runner, feature by feature, and the refusal of what the runner lacks. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import { isDoFnRegistered } from "../../transforms/primitives/fn-registry.js";
import { detectors } from "./feature-detectors.js";
import { readSteps } from "./step.js";

/** A feature by the name under which it is refused. Some no runner can have, e.g. `unknown transform`. */
export type Feature = keyof typeof detectors;

/** All of them, in the order of the table. */
export const features = Object.keys(detectors) as readonly Feature[];

/** A feature that a step of the graph uses. */
export interface FeatureUse {
  /** Path of the step, or `(pipeline)` for what the graph asks as a whole. */
  readonly step: string;
  readonly feature: Feature;
  /** What exactly, e.g. the names of the side inputs; empty if there is nothing to add. */
  readonly detail: string;
}

/** What a runner can do. Impulse, ParDo and Flatten of registered DoFns in the global window go without saying. */
export interface RunnerFeatures {
  /** Name for messages, e.g. `direct`. */
  readonly runner: string;
  readonly supported: ReadonlySet<Feature>;
  /** Whether a DoFn of that name can be built; default: in this process. */
  readonly isRegistered?: (fn: string) => boolean;
}

/**
 * Lets the graph pass if the runner has every feature that it uses. Call it before anything runs.
 * @throws UnsupportedFeatureError, listing every use of a feature that the runner lacks.
 */
export function checkFeatures(proto: runnerApi.Pipeline, runner: RunnerFeatures): void {
  const lacking = featuresOf(proto, runner.isRegistered).filter(
    ({ feature }) => !runner.supported.has(feature),
  );
  if (lacking.length > 0) throw new UnsupportedFeatureError(runner.runner, lacking);
}

/** Every use of a feature in the graph, in the order of steps, then of the table of features. */
export function featuresOf(
  proto: runnerApi.Pipeline,
  isRegistered: (fn: string) => boolean = isDoFnRegistered,
): FeatureUse[] {
  const steps = [undefined, ...readSteps(proto)];
  return steps.flatMap((step) =>
    features.flatMap((feature) =>
      detectors[feature]({ step, proto, isRegistered }).map((detail) => ({
        step: step?.path ?? "(pipeline)",
        feature,
        detail,
      })),
    ),
  );
}

/** The runner cannot run the graph as it is. */
export class UnsupportedFeatureError extends Error {
  readonly code = "unsupported_feature";
  override readonly name = "UnsupportedFeatureError";

  constructor(
    runner: string,
    readonly features: readonly FeatureUse[],
  ) {
    const lines = features.map(
      ({ step, feature, detail }) => `${step}: ${feature}${detail && ` (${detail})`}`,
    );
    super(`the ${runner} runner cannot run this pipeline, it lacks:\n  ${lines.join("\n  ")}`);
  }
}
