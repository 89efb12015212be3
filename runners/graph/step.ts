/** The leaves of a pipeline proto as typed steps, in topological order. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { GROUP_BY_KEY_URN } from "../../transforms/primitives/group-by-key.js";
import { PAR_DO_URN, REGISTERED_DO_FN_URN, type RegisteredDoFn } from "../../transforms/primitives/par-do.js";
import { RESHUFFLE_URN } from "../../transforms/primitives/reshuffle.js";
import { TEST_STREAM_URN } from "../../transforms/primitives/test-stream.js";
import type { Window } from "../../transforms/primitives/window.js";
import type { WindowFn } from "../../transforms/primitives/window-fn.js";
import type { WindowingStrategy } from "../engine/windowing-strategy.js";

/** A leaf transform: what a runner has to execute. */
export type Step = FusedStep | RunnerStep | UnknownStep;
/** Steps that run inside a stage, one calling the next. */
export type FusedStep = ParDoStep | FlattenStep | PartStep;
/** Steps that the runner itself executes, between stages. */
export type RunnerStep = ImpulseStep | GroupByKeyStep | RedistributeStep | TestStreamStep;

interface NamedStep {
  /**
   * The transform's unique name, e.g. `ReadEvents/ReadFiles`: the same in every process and after
   * every restart, so that it keys saved state.
   */
  readonly path: string;
  /** The leaf as it stands in the proto. */
  readonly transform: runnerApi.PTransform;
}

/** Applies a DoFn to each element of one PCollection. */
export interface ParDoStep extends NamedStep {
  readonly kind: "parDo";
  readonly doFn: DoFnSpec;
  /** Id of the main input. */
  readonly input: string;
  /** Ids of the side inputs by local name. */
  readonly sideInputs: ReadonlyMap<string, string>;
  /** Ids of the outputs by tag; `MAIN_OUTPUT` is the tag of a single one. */
  readonly outputs: ReadonlyMap<string, string>;
  /** The rest of what the graph says of it: state, timers, restriction coder, finalization. */
  readonly payload: runnerApi.ParDoPayload;
  /** A splittable DoFn: its residuals come back to this step. */
  readonly isSplittable: boolean;
  /** It keeps state or timers, so its input is keyed. */
  readonly isStateful: boolean;
}

/** The union of PCollections; one may occur twice and then counts twice. */
export interface FlattenStep extends NamedStep {
  readonly kind: "flatten";
  readonly inputs: readonly string[];
  readonly output: string;
}

/**
 * A part of a transform that a runner has taken apart, or work of its own that it leaves to a stage: found in the
 * stages of other runners, never in a graph.
 */
export interface PartStep extends NamedStep {
  readonly kind: "part";
  readonly part: RestrictionPart | CombinePart | WindowsPart;
  /** Id of the main input. It reads no side inputs. */
  readonly input: string;
  /** By tag; there is one. */
  readonly outputs: ReadonlyMap<string, string>;
  /** What the graph has in its place. */
  readonly doFn?: DoFnSpec;
}

/**
 * What comes before the processing of restrictions. Elements are
 * - after `pair`: `{ key: element, value: { key: restriction, value: watermarkState } }`;
 * - after `split` and `truncate`: `{ key: that, value: size }`.
 */
export interface RestrictionPart {
  readonly kind: "restriction";
  readonly work: "pair" | "split" | "truncate";
  readonly doFn: DoFnSpec;
}

/** A step of a combine, between `{ key, value }` and `{ key, value }`. */
export type CombinePart = { readonly kind: "combine"; readonly combineFn: CombineFnSpec } & (
  | { readonly work: "merge" | "extract" | "convert" | "combineGrouped" }
  /** Inputs to accumulators, several inputs of a key and window to one of them. */
  | {
      readonly work: "precombine";
      readonly timestampCombiner: WindowingStrategy["timestampCombiner"];
      keyId(key: unknown): string;
    }
);

/** How the CombineFn is given: a registered name, or whatever else the URN says. */
export interface CombineFnSpec {
  readonly urn: string;
  readonly payload: Uint8Array;
}

/** Windows as values of `{ key, value }`, with which a runner asks what it cannot tell itself. */
export type WindowsPart = { readonly kind: "windows" } & (
  | { readonly work: "map"; map(window: Window): Window }
  /** From an iterable of windows to `{ key: unmerged, value: [{ key: merged, value: from }] }`. */
  | { readonly work: "merge"; readonly merge: WindowFn["merge"] }
);

/** One empty element, once, at the start of a pipeline's life. */
export interface ImpulseStep extends NamedStep {
  readonly kind: "impulse";
  readonly output: string;
}

export interface GroupByKeyStep extends NamedStep {
  readonly kind: "groupByKey";
  readonly input: string;
  readonly output: string;
  /** Given where values are combined as they come. */
  readonly combine?: LiftedCombine;
}

/** A combine of which the grouping does all but the extraction of the output. */
export interface LiftedCombine {
  /** Name and configuration of the registered CombineFn. */
  readonly fn: string;
  readonly config: JsonValue;
  readonly accumulatorCoderId: string;
  /** Path of the step by which the graph combines: what fails is said to be its. */
  readonly step: string;
}

/** Hands its input on, but nothing is fused across it. */
export interface RedistributeStep extends NamedStep {
  readonly kind: "redistribute";
  readonly input: string;
  readonly output: string;
}

/** A source that a test has written down. */
export interface TestStreamStep extends NamedStep {
  readonly kind: "testStream";
  readonly payload: runnerApi.TestStreamPayload;
  /** Ids of the outputs by tag. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** A leaf under a URN that is not known here: named, so that it can be refused. */
export interface UnknownStep extends NamedStep {
  readonly kind: "unknown";
  readonly urn: string;
}

/** How the function of a ParDo is given. */
export type DoFnSpec =
  | ({ readonly kind: "registered" } & RegisteredDoFn)
  /** Some other URN, e.g. the SDK's `beam:dofn:serialized_js_dofn_info:v1`. */
  | { readonly kind: "other"; readonly urn: string; readonly payload: Uint8Array };

/** Decodes the leaves of a pipeline, producers before consumers. @throws on a malformed proto. */
export function readSteps(proto: runnerApi.Pipeline): Step[] {
  const { transforms } = proto.components!;
  return leaves(proto).map((id) => readStep(transforms[id]!));
}

/** Ids of all PCollections that the step reads, side inputs included. */
export function inputsOf(step: Step): string[] {
  return Object.values(step.transform.inputs);
}

/** Ids of all PCollections that the step makes. */
export function outputsOf(step: Step): string[] {
  return Object.values(step.transform.outputs);
}

/**
 * Ids of the leaf transforms in application order, which is topological, as a PCollection is there
 * before it is used. A composite, whatever its URN, runs by its parts. A transform without parts that only
 * hands its inputs on, or that says nothing and makes nothing, is no leaf.
 */
export function leaves(proto: runnerApi.Pipeline): string[] {
  const { transforms } = proto.components!;
  const found: string[] = [];
  const visit = (id: string): void => {
    const transform = transforms[id];
    if (transform === undefined) throw new Error(`the graph names a transform "${id}" that it does not hold`);
    if (transform.subtransforms.length > 0) transform.subtransforms.forEach(visit);
    else if (!handsOnOnly(transform)) found.push(id);
  };
  proto.rootTransformIds.forEach(visit);
  return found;
}

function handsOnOnly(transform: runnerApi.PTransform): boolean {
  const inputs = new Set(Object.values(transform.inputs));
  const outputs = Object.values(transform.outputs);
  if (outputs.length === 0) return !transform.spec?.urn;
  return outputs.every((id) => inputs.has(id));
}

/** Decodes one leaf. @throws on a malformed proto. */
export function readStep(transform: runnerApi.PTransform, path = transform.uniqueName): Step {
  const named = { path, transform };
  const urn = transform.spec?.urn ?? "";
  switch (urn) {
    case PAR_DO_URN:
      return readParDo(transform, path);
    case "beam:transform:flatten:v1":
      return {
        ...named,
        kind: "flatten",
        inputs: inOrder(transform.inputs),
        output: only(transform, "outputs"),
      };
    case "beam:transform:impulse:v1":
      return { ...named, kind: "impulse", output: only(transform, "outputs") };
    case GROUP_BY_KEY_URN:
      return { ...named, kind: "groupByKey", ...throughput(transform) };
    case RESHUFFLE_URN:
    case "beam:transform:redistribute_arbitrarily:v1":
    case "beam:transform:redistribute_by_key:v1":
      return { ...named, kind: "redistribute", ...throughput(transform) };
    case TEST_STREAM_URN:
      return {
        ...named,
        kind: "testStream",
        payload: runnerApi.TestStreamPayload.fromBinary(transform.spec!.payload),
        outputs: new Map(Object.entries(transform.outputs)),
      };
    default:
      return { ...named, kind: "unknown", urn };
  }
}

/** A transform whose payload is that of a ParDo. @throws when it has not one main input. */
export function readParDo(transform: runnerApi.PTransform, path: string): ParDoStep {
  const payload = runnerApi.ParDoPayload.fromBinary(transform.spec!.payload);
  const isSide = (name: string) => payload.sideInputs[name] !== undefined;
  const mains = Object.entries(transform.inputs).filter(([name]) => !isSide(name));
  if (mains.length !== 1) {
    throw new Error(`step "${path}" must have one main input, got ${mains.length}`);
  }
  return {
    kind: "parDo",
    path,
    transform,
    doFn: readDoFn(payload.doFn),
    input: mains[0]![1],
    sideInputs: new Map(Object.entries(transform.inputs).filter(([name]) => isSide(name))),
    outputs: new Map(Object.entries(transform.outputs)),
    payload,
    isSplittable: payload.restrictionCoderId !== "",
    isStateful: Object.keys({ ...payload.stateSpecs, ...payload.timerFamilySpecs }).length > 0,
  };
}

function readDoFn(spec: runnerApi.FunctionSpec | undefined): DoFnSpec {
  if (spec?.urn !== REGISTERED_DO_FN_URN) {
    return { kind: "other", urn: spec?.urn ?? "", payload: spec?.payload ?? new Uint8Array() };
  }
  const { fn, config } = JSON.parse(new TextDecoder().decode(spec.payload)) as RegisteredDoFn;
  return { kind: "registered", fn, config };
}

/** A flatten's local names are numbers as text: "10" comes after "9", and a map promises no order. */
function inOrder(inputs: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(inputs).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return names.map((name) => inputs[name]!);
}

function throughput(transform: runnerApi.PTransform): { input: string; output: string } {
  return { input: only(transform, "inputs"), output: only(transform, "outputs") };
}

function only(transform: runnerApi.PTransform, side: "inputs" | "outputs"): string {
  const ids = Object.values(transform[side]);
  if (ids.length !== 1) {
    throw new Error(`step "${transform.uniqueName}" must have exactly one of its ${side}, got ${ids.length}`);
  }
  return ids[0]!;
}
