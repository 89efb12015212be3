/** The direct runner: runs a pipeline graph in this process, epoch by epoch, into PostgreSQL. */
import type { Pipeline } from "../../transforms/primitives/beam.js";
import {
  checkFeatures,
  type FeatureUse,
  type RunnerFeatures,
  UnsupportedFeatureError,
} from "../graph/features.js";
import { graphProto } from "../graph/graph-proto.js";
import { type Plan, translate } from "../graph/translate.js";
import type { Job } from "../job/job.js";
import type { Runner, RunnerOptions } from "../job/runner.js";
import { DirectJob } from "./direct-job.js";

const FEATURES: RunnerFeatures = {
  runner: "direct",
  supported: new Set(["splittable DoFn", "bundle finalization"]),
};

/** Runs what `checkFeatures` lets through; everything else is refused by name before the first element. */
export class DirectRunner implements Runner {
  async run(pipeline: Pipeline, options: RunnerOptions): Promise<Job> {
    const proto = graphProto(pipeline);
    checkFeatures(proto, FEATURES);
    const plan = translate(proto);
    const cuts = cutsOf(plan);
    if (cuts.length > 0) throw new UnsupportedFeatureError(FEATURES.runner, cuts);
    return new DirectJob(plan, options);
  }
}

/** Steps whose input this runner would have to keep between stages: it feeds stages by impulses only. */
function cutsOf({ stages, runnerSteps }: Plan): FeatureUse[] {
  const impulses = new Set(runnerSteps.flatMap((step) => (step.kind === "impulse" ? [step.output] : [])));
  const roots = stages.flatMap((stage) => stage.roots).filter((root) => !impulses.has(root.collection));
  return roots.flatMap(({ consumers, collection }) =>
    consumers.map(({ step }) => ({
      step: step.path,
      feature: "splittable DoFn" as const,
      detail: `fed by "${collection}", not by an impulse`,
    })),
  );
}
