/** What the runners behind job servers cannot run of the scenarios, and why. An unlisted scenario must pass. */
import type { ModelFeature } from "./model-features.js";
import { excludedScenarios } from "./portable-excluded-scenarios.js";
import type { PortableTargetName } from "./portable-targets.js";

/** Features of which the runner has nothing that could be shown, with the reason in one phrase. */
const features: Record<PortableTargetName, Partial<Record<ModelFeature, string>>> = {
  prism: {},
  spark: {
    TestStream: 'Beam\'s Spark runner has no TestStream ("unknown URN")',
    "bundle finalization":
      'Beam\'s Spark runner finalizes no bundles ("does not have a registered bundle finalization handler")',
    "unbounded splittable DoFn":
      'Beam\'s Spark runner resumes no splittable DoFn ("does not have a registered bundle checkpoint handler")',
    "self-checkpoint":
      'Beam\'s Spark runner resumes no splittable DoFn ("does not have a registered bundle checkpoint handler")',
    "on window expiration":
      "refused by name: Beam's Spark runner never calls onWindowExpiration (none of its classes knows the timer family)",
    "time-sorted input":
      "refused by name: Beam's Spark runner has no time-sorted input for portable DoFns, and passes it on unsorted",
  },
  flink: {
    TestStream: "an unbounded input makes it a streaming job",
    "unbounded splittable DoFn": "an unbounded input makes it a streaming job",
    "on window expiration":
      "refused by name: Beam's Flink runner never calls onWindowExpiration (it ends in an empty method of ExecutableStageDoFnOperator)",
  },
  "flink-streaming": {
    "on window expiration":
      "refused by name: Beam's Flink runner never calls onWindowExpiration (it ends in an empty method of ExecutableStageDoFnOperator)",
    "time-sorted input":
      "refused by name: Beam's Flink runner has no time-sorted input for portable DoFns in streaming (BEAM-8460)",
  },
};

/** Why the runner cannot run the scenario; undefined when it can. */
export function exclusionOf(
  target: PortableTargetName,
  {
    category,
    name,
    features: shown,
  }: { readonly category: string; readonly name: string; readonly features: readonly ModelFeature[] },
): string | undefined {
  const ofFeature = shown.map((feature) => features[target][feature]).find((reason) => reason !== undefined);
  if (ofFeature !== undefined) return ofFeature;
  const wanted = `${category}: ${name}`;
  const found = Object.entries(excludedScenarios[target]).find(([, scenarios]) => scenarios.includes(wanted));
  return found?.[0];
}
