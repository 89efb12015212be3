/** The direct runner: runs a pipeline graph in this process, epoch by epoch. */
import type { Pipeline, runnerApi } from "../../transforms/primitives/beam.js";
import { checkFeatures, type RunnerFeatures } from "../graph/features.js";
import { graphProto } from "../graph/graph-proto.js";
import { DIRECT_SINK_PLACE, sinksOf } from "../graph/sinks.js";
import { translate } from "../graph/translate.js";
import type { Job } from "../job/job.js";
import type { Runner, RunnerOptions } from "../job/runner.js";
import { DirectJob } from "./direct-job.js";
import { refuseUnknownDatabases } from "./replay/outbox-replay.js";

/**
 * Missing, and so refused by name: what nobody here knows (transforms, DoFns, windows, state, environments,
 * requirements of others), stable input, ordered list state, retractions, and side inputs by merging windows,
 * which Beam does not have either.
 */
export const DIRECT_FEATURES: RunnerFeatures = {
  runner: "direct",
  supported: new Set([
    "GroupByKey",
    "Reshuffle",
    "TestStream",
    "Flatten of bounded with unbounded",
    "bounded splittable DoFn",
    "unbounded splittable DoFn",
    "value state",
    "bag state",
    "combining state",
    "set state",
    "map state",
    "event-time timers",
    "processing-time timers",
    "on window expiration",
    "iterable side input",
    "singleton side input",
    "map side input",
    "multimap side input",
    "triggered side input",
    "bundle finalization",
    "time-sorted input",
    "SDK-serialised DoFn",
    "SDK identity DoFn",
    "SDK split DoFn",
    "SDK window assignment",
    "SDK timestamp assignment",
    "fixed windows",
    "sliding windows",
    "session windows",
    "calendar windows",
    "custom windows",
    "merging windows",
    "watermark trigger",
    "count trigger",
    "processing-time trigger",
    "composite triggers",
    "never trigger",
    "always trigger",
    "accumulating panes",
    "timestamp combiner",
    "allowed lateness",
  ]),
};

/** Runs what `checkFeatures` lets through; everything else is refused by name before the first element. */
export class DirectRunner implements Runner {
  async run(pipeline: Pipeline | runnerApi.Pipeline, options: RunnerOptions): Promise<Job> {
    const proto = graphProto(pipeline);
    checkFeatures(proto, DIRECT_FEATURES);
    const sinks = sinksOf(proto, DIRECT_SINK_PLACE);
    const { connection, sinkDatabases = new Map() } = options;
    refuseUnknownDatabases(sinks, sinkDatabases, connection !== undefined);
    return new DirectJob(translate(proto), options, sinks);
  }
}
