/** The direct runner: runs a pipeline graph in this process, epoch by epoch. */
import type { Pipeline, runnerApi } from "../../transforms/primitives/beam.js";
import { checkFeatures, type RunnerFeatures } from "../graph/features.js";
import { graphProto } from "../graph/graph-proto.js";
import { translate } from "../graph/translate.js";
import type { Job } from "../job/job.js";
import type { Runner, RunnerOptions } from "../job/runner.js";
import { DirectJob } from "./direct-job.js";

/** What is missing here is refused: what no runner can know, and stable input, which nothing makes stable yet. */
const FEATURES: RunnerFeatures = {
  runner: "direct",
  supported: new Set([
    "GroupByKey",
    "splittable DoFn",
    "state",
    "timers",
    "on window expiration",
    "side inputs",
    "bundle finalization",
    "time-sorted input",
    "SDK-serialised DoFn",
    "SDK identity DoFn",
    "SDK split DoFn",
    "SDK window assignment",
    "SDK timestamp assignment",
    "windows other than global",
    "merging windows",
    "triggers",
    "accumulating panes",
    "timestamp combiner",
    "allowed lateness",
    "Flatten of bounded with unbounded",
  ]),
};

/** Runs what `checkFeatures` lets through; everything else is refused by name before the first element. */
export class DirectRunner implements Runner {
  async run(pipeline: Pipeline | runnerApi.Pipeline, options: RunnerOptions): Promise<Job> {
    const proto = graphProto(pipeline);
    checkFeatures(proto, FEATURES);
    return new DirectJob(translate(proto), options);
  }
}
