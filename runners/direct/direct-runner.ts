/** The direct runner: runs a pipeline graph in this process, epoch by epoch, into PostgreSQL. */
import type { Pipeline } from "../../transforms/primitives/beam.js";
import { checkFeatures, type RunnerFeatures } from "../graph/features.js";
import { graphProto } from "../graph/graph-proto.js";
import { translate } from "../graph/translate.js";
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
    return new DirectJob(translate(proto), options);
  }
}
