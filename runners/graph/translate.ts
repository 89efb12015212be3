/** From a pipeline proto to what a runner executes: stages of fused steps, and the steps in between. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import { type ExecutableStage, fuse, isFused } from "./fuse.js";
import { liftCombines } from "./lift-combines.js";
import { type FusedStep, outputsOf, type RunnerStep, readSteps, type Step } from "./step.js";

export type { ExecutableStage, StageRoot } from "./fuse.js";
export type { FusedStep, ParDoStep, PartStep, RunnerStep } from "./step.js";

/** An executable graph. Everything in it follows from the proto alone, so it is the same in every process. */
export interface Plan {
  /** Stages, a producer before whoever reads what it makes. */
  readonly stages: readonly ExecutableStage[];
  /** What the runner itself executes, e.g. impulses and GroupByKeys, producers first. */
  readonly runnerSteps: readonly RunnerStep[];
  /** Every PCollection by id. */
  readonly collections: ReadonlyMap<string, Collection>;
  /** Coders, windowing strategies and environments by id. */
  readonly components: runnerApi.Components;
}

/** A PCollection of the graph. */
export interface Collection {
  /** Stable when the proto comes from `graphProto`, e.g. `ReadEvents/ReadFiles.main`. */
  readonly id: string;
  readonly coderId: string;
  readonly windowingStrategyId: string;
  readonly isBounded: boolean;
  /** Path of the step that makes it, and the tag of that step's output. */
  readonly producer: { readonly step: string; readonly output: string };
}

/**
 * Translates a graph once, before the first element.
 * @throws on a leaf under a URN not known here; `checkFeatures` says so with all there is to say, so
 * call it first.
 */
export function translate(proto: runnerApi.Pipeline): Plan {
  const { steps, components } = liftCombines(readSteps(proto).map(refuseUnknown), proto.components!);
  return {
    stages: fuse(steps),
    runnerSteps: steps.filter((step) => !isFused(step)),
    collections: collectionsOf(components, steps),
    components,
  };
}

function refuseUnknown(step: Step): FusedStep | RunnerStep {
  if (step.kind !== "unknown") return step;
  throw new Error(`step "${step.path}" is a leaf under an unknown URN "${step.urn}"`);
}

function collectionsOf(
  { pcollections }: runnerApi.Components,
  steps: readonly Step[],
): Map<string, Collection> {
  const collections = new Map<string, Collection>();
  for (const step of steps) {
    for (const id of outputsOf(step)) {
      const collection = pcollections[id];
      if (collection === undefined)
        throw new Error(`step "${step.path}" makes an unknown PCollection "${id}"`);
      const output = Object.keys(step.transform.outputs).find((tag) => step.transform.outputs[tag] === id)!;
      collections.set(id, {
        id,
        coderId: collection.coderId,
        windowingStrategyId: collection.windowingStrategyId,
        isBounded: collection.isBounded === runnerApi.IsBounded_Enum.BOUNDED,
        producer: { step: step.path, output },
      });
    }
  }
  return collections;
}
