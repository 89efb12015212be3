/** Runs a plan once: engine, host and loop put together, from what is committed to the end. */
import type { SqlQueries } from "../../sql/sql-session.js";
import type { Clock } from "../../transforms/primitives/do-fn.js";
import { BundleProcessor } from "../bundle/bundle-processor.js";
import type { ElementSamples } from "../bundle/element-samples.js";
import { StepFailedError } from "../bundle/step-failed-error.js";
import type { ColdKeys } from "../engine/durable/cold-keys.js";
import type { StateRecord } from "../engine/durable/state-record.js";
import { Engine } from "../engine/engine.js";
import type { EngineGraph, StageRoot } from "../engine/engine-graph.js";
import { createGroupByKey } from "../engine/group-by-key.js";
import { toEngineGraph } from "../graph/engine-graph.js";
import { stateCodecOf } from "../graph/state-codec.js";
import type { ExecutableStage, Plan } from "../graph/translate.js";
import type { MetricsStore } from "../job/metrics-store.js";
import type { RunnerOptions } from "../job/runner.js";
import { EngineHost } from "./engine-host.js";
import type { Committer } from "./epoch.js";
import { EpochLoop } from "./epoch-loop.js";
import { hostedGraph, unboundedSteps } from "./hosted-graph.js";
import { PipelineDrainedError } from "./kept-state.js";
import type { EpochReport, LoopStage } from "./loop-options.js";
import type { Pausing } from "./pausing.js";
import { ProcessingClock } from "./processing-clock.js";

/** Records that the sources emit into one epoch at the most: enough for COPY's speed, little to lose. */
const BUNDLE_RECORDS_MAX = 20_000;
/** Elements that the engine hands to a stage at once: enough to make a bundle's own cost small. */
const BUNDLE_ELEMENTS_MAX = 10_000;

export interface RestoredRecords {
  readonly records: Iterable<StateRecord>;
  /** Has those of keys, which need not be in memory. */
  readonly cold?: ColdKeys | undefined;
}

export interface PlanOptions
  extends Omit<RunnerOptions, "connection" | "commitLogDir" | "takeover" | "retryTimeoutMs" | "samplesMax"> {
  readonly committer: Committer;
  readonly metrics: MetricsStore;
  readonly database: SqlQueries | undefined;
  /** The state to go on from, none at first; undefined where it does not outlive the process. */
  readonly restored: RestoredRecords | undefined;
  readonly samples: ElementSamples | undefined;
  readonly drain: AbortSignal;
  readonly stop: AbortSignal;
  readonly pausing: Pausing;
  readonly cancel: AbortSignal;
  readonly onStart: (loop: EpochLoop) => void;
  readonly onCommit: (report: EpochReport) => void;
}

/**
 * Resolves when all is committed and every DoFn torn down.
 * @throws the first failure; PipelineDrainedError when the state is that of a pipeline which was drained
 */
export async function runPlan(plan: Plan, options: PlanOptions): Promise<void> {
  const { log, committer } = options;
  const loop = createLoop(plan, options);
  options.onStart(loop);
  try {
    await loop.run();
  } catch (error) {
    await committer.abandon();
    throw error;
  } finally {
    for (const error of await loop.teardown()) log.warn("a step's teardown failed", { error: String(error) });
  }
}

function createLoop(plan: Plan, options: PlanOptions): EpochLoop {
  const { log, database, pipeline, once, committer, metrics, samples } = options;
  const graph = toEngineGraph(plan, StepFailedError.of);
  const processing = new ProcessingClock(options.clock);
  const { restored } = options;
  const durable = restored && { codec: stateCodecOf(plan), restored: restored.records, cold: restored.cold };
  const engine = new Engine(graph, { processingTimeMs: processing.now(), createGroupByKey, durable });
  if (engine.isDrained) throw new PipelineDrainedError(pipeline);
  const isTimeScripted = graph.nodes.some(({ kind }) => kind === "testStream");
  const processingTimeMs = () => (isTimeScripted ? engine.processingTimeMs : processing.now());
  const clock = isTimeScripted ? scriptedClock(options.clock, processingTimeMs) : options.clock;
  const stages = loopStages(graph, plan);
  const processors = new Map(plan.stages.map((stage) => [stage.id, stage]));
  return new EpochLoop({
    engine,
    stages,
    createProcessor: (id, host) => BundleProcessor.create(processors.get(id) as ExecutableStage, host),
    host: new EngineHost({
      ...{ engine, pipeline, clock, log, database, samples },
      mode: once ? "available-now" : "stream",
      runId: committer.state.runId,
      signal: options.cancel,
      graph: hostedGraph(graph, plan),
    }),
    ...{ committer, metrics, clock, once },
    ...{ processingTimeMs, isTimeScripted },
    epochsInFlight: durable === undefined && isSingleLayer(graph, stages) ? 2 : 1,
    bundleRecordsMax: options.bundleRecordsMax ?? BUNDLE_RECORDS_MAX,
    bundleElementsMax: options.bundleElementsMax ?? BUNDLE_ELEMENTS_MAX,
    drain: options.drain,
    stop: options.stop,
    drainsAtEnd: options.drainsAtEnd ?? false,
    pausing: options.pausing,
    cancel: options.cancel,
    onCommit: options.onCommit,
  });
}

/** The clock that DoFns see while a script moves the processing time. */
function scriptedClock(clock: Clock, nowMs: () => number): Clock {
  return { now: nowMs, monotonicMs: nowMs, sleep: (ms, signal) => clock.sleep(ms, signal) };
}

/** Only impulses and stages whose bundles may finish while the engine goes on. */
function isSingleLayer({ nodes }: EngineGraph, stages: readonly LoopStage[]): boolean {
  const inner = nodes.filter(({ kind }) => kind !== "impulse" && kind !== "stage");
  return inner.length === 0 && stages.every(({ isLeaf }) => isLeaf);
}

/** State and side inputs are the engine's: it lets go of them when a bundle is applied, so that must end first. */
function keepsNothing({ kind, sideInputs }: StageRoot): boolean {
  return kind !== "keyed" && sideInputs.length === 0;
}

function loopStages({ nodes }: EngineGraph, plan: Plan): LoopStage[] {
  const impulses = new Set(nodes.flatMap((node) => (node.kind === "impulse" ? [node.output] : [])));
  const unbounded = unboundedSteps(plan);
  return nodes.flatMap((node) => {
    if (node.kind !== "stage") return [];
    const { id, roots, outputs } = node;
    const idsOf = (wanted: (root: StageRoot) => boolean) =>
      new Set(roots.filter(wanted).map((root) => root.id));
    return [
      {
        id,
        isLeaf: outputs.length === 0 && roots.every(keepsNothing),
        impulseRoots: idsOf(({ kind, input }) => kind === "elements" && impulses.has(input)),
        unboundedRoots: idsOf((root) => root.kind === "splittable" && unbounded.has(root.id)),
      },
    ];
  });
}
