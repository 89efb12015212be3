/** What Beam's runners are known not to do, told before a job is submitted. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import { type Feature, type FeatureUse, featuresOf, UnsupportedFeatureError } from "../graph/features.js";
import { type DescribedOptions, type PipelineOptions, PipelineOptionsError } from "./pipeline-options.js";

export type ServerKind = "spark" | "flink" | "prism" | "other";

/** By the options that it describes; Prism describes none. */
export function serverKind(described: DescribedOptions): ServerKind {
  if (described.size === 0) return "prism";
  if (described.has("spark_master")) return "spark";
  return described.has("flink_master") ? "flink" : "other";
}

/**
 * Gives warnings about what works but is slow or fragile there. `hasFlinkRest`: the user has named Flink's REST API.
 * @throws UnsupportedFeatureError for what would fail in the middle of the job; PipelineOptionsError for what would be
 * passed over
 */
export function checkForServer(
  kind: ServerKind,
  proto: runnerApi.Pipeline,
  options: PipelineOptions,
  hasFlinkRest = false,
): readonly string[] {
  if (kind === "other") return [];
  if (kind === "flink" && !hasFlinkRest) refuseSavepointPath(options);
  const uses = featuresOf(proto);
  if (kind === "prism") return checkForPrism(uses, isUnbounded(proto));
  return kind === "spark"
    ? checkForSpark(uses)
    : checkForFlink(uses, { isUnbounded: isUnbounded(proto), options });
}

function refuseSavepointPath(options: PipelineOptions): void {
  if (!Object.hasOwn(options, "savepoint_path")) return;
  throw new PipelineOptionsError([
    "pipeline option savepoint_path needs a Flink cluster, and its REST address in flinkRest: " +
      "Beam's job server passes over it for jobs that run in itself",
  ]);
}

/**
 * Beam 2.49's job servers never call `onWindowExpiration`: what it would emit is missing from a job that is DONE.
 * Spark's does not sort, nor does it say so; Flink's fails in streaming (BEAM-8460).
 */
const LACKING: Readonly<Record<"Spark" | "Flink" | "Flink (streaming)", ReadonlySet<Feature>>> = {
  Spark: new Set(["unbounded splittable DoFn", "on window expiration", "time-sorted input"]),
  Flink: new Set(["on window expiration"]),
  "Flink (streaming)": new Set(["on window expiration", "time-sorted input"]),
};

function checkForSpark(uses: readonly FeatureUse[]): readonly string[] {
  refuse("Spark", uses, (feature) => LACKING.Spark.has(feature));
  return slowInBatch("Spark", uses);
}

/** Where nothing else is pending, Prism crashes as windows expire: by then it has begun to end the job. */
function checkForPrism(uses: readonly FeatureUse[], isUnbounded: boolean): readonly string[] {
  if (!isUnbounded) {
    refuse("Prism with bounded input", uses, (feature) => feature === "on window expiration");
    return [];
  }
  return stepsWith(uses, (feature) => feature === "time-sorted input").map(
    (step) => `${step}: Prism sorts what comes in one bundle, and does not wait for the watermark`,
  );
}

interface FlinkJob {
  readonly isUnbounded: boolean;
  readonly options: PipelineOptions;
}

function checkForFlink(uses: readonly FeatureUse[], { isUnbounded, options }: FlinkJob): readonly string[] {
  const { streaming = false, checkpointing_interval: interval = -1 } = options;
  const isStreaming = isUnbounded || streaming === true;
  const runner = isStreaming ? "Flink (streaming)" : "Flink";
  refuse(runner, uses, (feature) => LACKING[runner].has(feature));
  if (!isStreaming) return slowInBatch("Flink", uses);
  refuseLostElements(uses);
  const hasCheckpoints = typeof interval === "number" && interval > 0;
  if (hasCheckpoints && isUnbounded) refuse("Flink with checkpoints", uses, isSideInput);
  return [
    ...(isUnbounded ? [] : endlessTimers(uses)),
    ...(hasCheckpoints ? failingCheckpoints(uses) : withoutCheckpoints(uses, isUnbounded)),
  ];
}

function failingCheckpoints(uses: readonly FeatureUse[]): readonly string[] {
  return stepsWith(uses, isSideInput).map(
    (step) =>
      `${step}: Beam's Flink runner fails at a checkpoint of side inputs; leave out checkpointing_interval`,
  );
}

function withoutCheckpoints(uses: readonly FeatureUse[], isUnbounded: boolean): readonly string[] {
  const restarts =
    "nothing is checkpointed: a failure starts the job from its beginning (set checkpointing_interval, in ms)";
  const finalizing = stepsWith(uses, (feature) => feature === "bundle finalization");
  return [
    ...(isUnbounded ? [restarts] : []),
    ...finalizing.map(
      (step) =>
        `${step}: no callback of afterCommit is called: Beam's Flink runner calls them at checkpoints (set checkpointing_interval, in ms)`,
    ),
  ];
}

/** At its end an operator waits for the holds of such timers in a loop that lets none of them fire. */
function endlessTimers(uses: readonly FeatureUse[]): readonly string[] {
  return stepsWith(uses, (feature) => feature === "processing-time timers").map(
    (step) =>
      `${step}: on Beam's Flink runner a processing-time timer that is pending when the input ends keeps a streaming job running for ever`,
  );
}

/**
 * A streaming operator with keys loses what it puts aside until its side input is there, and the job is DONE without
 * it: seen with Beam 2.49 in each of seven pipelines, stateful and splittable.
 */
function refuseLostElements(uses: readonly FeatureUse[]): void {
  const keyed = new Set(stepsWith(uses, isKeyed));
  const lost = uses.filter(({ step, feature }) => keyed.has(step) && isSideInput(feature));
  const named = lost.map((use) => ({
    ...use,
    detail: `${use.detail}; beside state or a restriction it would lose elements`,
  }));
  if (named.length > 0) throw new UnsupportedFeatureError("Flink (streaming)", named);
}

const isKeyed = (feature: Feature) =>
  isState(feature) || feature.endsWith("timers") || feature.endsWith("splittable DoFn");
const isSideInput = (feature: Feature) => feature.endsWith("side input");
const isState = (feature: Feature) => feature.endsWith(" state");

/** Measured on Spark with a key an id: about half an hour for a million keys. */
function slowInBatch(runner: string, uses: readonly FeatureUse[]): readonly string[] {
  return stepsWith(uses, isState).map(
    (step) =>
      `${step}: in batch Beam's ${runner} runner gives each key of a stateful step a bundle of its own, which is slow with many keys`,
  );
}

function refuse(runner: string, uses: readonly FeatureUse[], isLacking: (feature: Feature) => boolean): void {
  const lacking = uses.filter(({ feature }) => isLacking(feature));
  if (lacking.length > 0) throw new UnsupportedFeatureError(runner, lacking);
}

function stepsWith(uses: readonly FeatureUse[], isMeant: (feature: Feature) => boolean): string[] {
  return [...new Set(uses.filter(({ feature }) => isMeant(feature)).map(({ step }) => step))];
}

/** Whether any PCollection may have no end. */
export function isUnbounded({ components }: runnerApi.Pipeline): boolean {
  return Object.values(components!.pcollections).some(
    (collection) => collection.isBounded === runnerApi.IsBounded_Enum.UNBOUNDED,
  );
}
