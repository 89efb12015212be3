/** A stage as a runner registers it with a worker, read once: what is run, and how its borders are encoded. */
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import { runnerApi } from "../../../transforms/primitives/beam.js";
import type { StepFacts } from "../../bundle/host.js";
import type { ExecutableStage } from "../../graph/fuse.js";
import type { FusedStep, ParDoStep } from "../../graph/step.js";
import { allowedLatenessMsOf } from "../../graph/windowing-strategies.js";
import { DescriptorGraph, inTransform } from "./descriptor-graph.js";
import { buildStage, mainInputsOf } from "./executable-stage.js";
import {
  readPort,
  SINK_URN,
  SOURCE_URN,
  type StagePort,
  type StageSink,
  type StageSource,
} from "./stage-ports.js";
import { readSideInputs, type StageSideInput } from "./stage-side-inputs.js";
import { readStageStep } from "./stage-steps.js";
import { readStatefulStage, type StatefulStage } from "./stateful-stage.js";

export type { StageSink, StageSource } from "./stage-ports.js";
export type { StageSideInput } from "./stage-side-inputs.js";
export type { StatefulStage } from "./stateful-stage.js";

export interface StagePlan {
  /** Of the descriptor. */
  readonly id: string;
  /** The path of a step is the id of its transform in the descriptor. */
  readonly stage: ExecutableStage;
  /** By id of the source transform. */
  readonly sources: ReadonlyMap<string, StageSource>;
  /** By PCollection id: the outputs of the stage. */
  readonly sinks: ReadonlyMap<string, readonly StageSink[]>;
  /** By step path. */
  readonly stateful: ReadonlyMap<string, StatefulStage>;
  /** By step path and local name. */
  readonly sideInputs: ReadonlyMap<string, ReadonlyMap<string, StageSideInput>>;
  /** By step path. */
  readonly stepFacts: ReadonlyMap<string, StepFacts>;
  /** URL; undefined: no state, no side inputs. */
  readonly stateEndpoint: string | undefined;
  readonly timerEndpoint: string | undefined;
  readonly needsFinalization: boolean;
}

/** @throws naming the transform, and what of it is not understood. */
export function readDescriptor(descriptor: ProcessBundleDescriptor): StagePlan {
  const { id, transforms, stateApiServiceDescriptor, timerApiServiceDescriptor } = descriptor;
  const graph = new DescriptorGraph(descriptor);
  const sources: StagePort[] = [];
  const sinks: StagePort[] = [];
  const steps: FusedStep[] = [];
  for (const [transformId, transform] of Object.entries(transforms)) {
    inTransform(transformId, transform, () => {
      const { urn } = transform.spec ?? {};
      if (urn === SOURCE_URN) sources.push(readPort(graph, transformId, transform));
      else if (urn === SINK_URN) sinks.push(readPort(graph, transformId, transform));
      else steps.push(readStageStep(graph, transformId, transform));
    });
  }
  const stage = buildStage({
    id,
    steps,
    read: sources.map(({ collection }) => collection),
    written: sinks.map(({ collection }) => collection),
  });
  const parDos = stage.steps.filter((step): step is ParDoStep => step.kind === "parDo");
  const ofSteps = <T>(has: (step: ParDoStep) => boolean, read: (step: ParDoStep) => T) =>
    new Map(
      parDos.filter(has).map((step) => [step.path, inTransform(step.path, step.transform, () => read(step))]),
    );
  const plan: StagePlan = {
    id,
    stage,
    sources: new Map(sources.map((port, i) => [port.transformId, { ...port, root: stage.roots[i]! }])),
    sinks: new Map(stage.outputs.map((id) => [id, sinks.filter(({ collection }) => collection === id)])),
    stateful: ofSteps(
      ({ isStateful }) => isStateful,
      (step) => readStatefulStage(graph, step),
    ),
    sideInputs: ofSteps(
      ({ sideInputs }) => sideInputs.size > 0,
      (step) => readSideInputs(graph, step),
    ),
    stepFacts: new Map(stage.steps.map((step) => [step.path, factsOf(graph, step)])),
    stateEndpoint: stateApiServiceDescriptor?.url || undefined,
    timerEndpoint: timerApiServiceDescriptor?.url || undefined,
    needsFinalization: parDos.some(({ payload }) => payload.requestsFinalization),
  };
  mustHaveEndpoints(plan);
  return plan;
}

function mustHaveEndpoints({ stateful, sideInputs, stateEndpoint, timerEndpoint }: StagePlan): void {
  const refuse = (step: string, what: string, service: string): never => {
    throw new Error(`transform "${step}" has ${what}, but the descriptor names no ${service} service`);
  };
  for (const [step, { states, timers }] of stateful) {
    if (states.size > 0 && stateEndpoint === undefined) refuse(step, "state", "state");
    if (timers.size > 0 && timerEndpoint === undefined) refuse(step, "timers", "timer");
  }
  for (const step of sideInputs.keys()) if (stateEndpoint === undefined) refuse(step, "side inputs", "state");
}

function factsOf(graph: DescriptorGraph, step: FusedStep): StepFacts {
  return inTransform(step.path, step.transform, () => {
    const [main] = mainInputsOf(step);
    const outputs = Object.values(step.transform.outputs).map((id) => graph.collection(id));
    return {
      allowedLatenessMs: main === undefined ? 0 : allowedLatenessMsOf(graph.strategyOf(main[1])),
      isBounded: outputs.every(({ isBounded }) => isBounded !== runnerApi.IsBounded_Enum.UNBOUNDED),
    };
  });
}
