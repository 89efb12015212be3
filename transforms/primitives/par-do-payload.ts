/** Beam's ParDoPayload for a registered DoFn: state, timers, side inputs and what they require of a runner. */
import { type PCollection, type Pipeline, runnerApi } from "./beam.js";
import type { DoFn } from "./do-fn.js";
import { type DoFnSpecs, isStateful } from "./do-fn-specs.js";
import { coderIdOf, coderIdOrGeneral, kvCoderParts, TIMER_CODER_URN } from "./graph-coders.js";
import type { SideInputSpec } from "./side-input-spec.js";
import type { CombiningStateSpec, StateSpec } from "./state-spec.js";
import type { TimeDomain } from "./timer-spec.js";

/** The pipeline has a step that waits for its bundle's commit (`afterCommit`). */
export const FINALIZATION_REQUIREMENT = "beam:requirement:pardo:finalization:v1";
export const STATEFUL_REQUIREMENT = "beam:requirement:pardo:stateful:v1";
export const TIME_SORTED_INPUT_REQUIREMENT = "beam:requirement:pardo:time_sorted_input:v1";
export const ON_WINDOW_EXPIRATION_REQUIREMENT = "beam:requirement:pardo:on_window_expiration:v1";

/** The timer family that stands for `onWindowExpiration` in a graph; runners of Beam's set it at a window's end. */
export const ON_WINDOW_EXPIRATION_FAMILY = "onWindowExpiration";

/** Combine function of a combining state: the DoFn's field of the state's name. */
export const DECLARED_COMBINE_FN_URN = "millrace:combine_fn:declared_by_do_fn:v1";

export const ITERABLE_ACCESS_URN = "beam:side_input:iterable:v1";
export const MULTIMAP_ACCESS_URN = "beam:side_input:multimap:v1";
/** View functions tell singleton from iterable, and map from multimap: `…:<kind>:v1`. */
export const VIEW_FN_URN_PREFIX = "millrace:view_fn:";

/** From the window of a main input to that of a side input, as the SDK names them. */
export const GLOBAL_MAPPING_URN = "beam:window_mapping_fn:global:v1";
export const IDENTITY_MAPPING_URN = "beam:window_mapping_fn:identity:v1";
export const ASSIGN_MAX_TIMESTAMP_MAPPING_URN = "beam:window_mapping_fn:assign_max_timestamp:v1";

type PayloadPart = Partial<runnerApi.ParDoPayload>;

/** State and timers of a DoFn on an input with a KV coder, and `onWindowExpiration`. Adds the requirements. */
export function statefulPart(
  pipeline: Pipeline,
  input: PCollection<unknown>,
  doFn: DoFn,
  specs: DoFnSpecs,
): PayloadPart {
  if (!isStateful(specs)) return {};
  const { keyCoderId } = kvCoderParts(pipeline, input)!;
  const timerCoderId = coderIdOf(pipeline, TIMER_CODER_URN, keyCoderId, windowCoderIdOf(pipeline, input));
  const timer = (domain: TimeDomain) => timerFamily(domain, timerCoderId);
  const states = [...specs.states].map(([name, spec]) => [name, stateSpec(pipeline, name, spec)]);
  const timers = [...specs.timers].map(([name, { domain }]) => [name, timer(domain)]);
  addRequirement(pipeline, STATEFUL_REQUIREMENT);
  const expires = doFn.onWindowExpiration !== undefined;
  if (expires) {
    addRequirement(pipeline, ON_WINDOW_EXPIRATION_REQUIREMENT);
    timers.push([ON_WINDOW_EXPIRATION_FAMILY, timer("event-time")]);
  }
  if (doFn.requiresTimeSortedInput) addRequirement(pipeline, TIME_SORTED_INPUT_REQUIREMENT);
  return {
    stateSpecs: Object.fromEntries(states),
    timerFamilySpecs: Object.fromEntries(timers),
    onWindowExpirationTimerFamilySpec: expires ? ON_WINDOW_EXPIRATION_FAMILY : "",
    requiresTimeSortedInput: doFn.requiresTimeSortedInput ?? false,
  };
}

function timerFamily(domain: TimeDomain, timerFamilyCoderId: string): runnerApi.TimerFamilySpec {
  const { EVENT_TIME, PROCESSING_TIME } = runnerApi.TimeDomain_Enum;
  return { timeDomain: domain === "event-time" ? EVENT_TIME : PROCESSING_TIME, timerFamilyCoderId };
}

function stateSpec(pipeline: Pipeline, name: string, spec: StateSpec): runnerApi.StateSpec {
  const { bag, multimap } = STATE_PROTOCOLS;
  switch (spec.kind) {
    case "value": {
      const readModifyWriteSpec = { coderId: coderIdOrGeneral(pipeline, spec.coder) };
      return { spec: { oneofKind: "readModifyWriteSpec", readModifyWriteSpec }, protocol: bag() };
    }
    case "bag": {
      const bagSpec = { elementCoderId: coderIdOrGeneral(pipeline, spec.coder) };
      return { spec: { oneofKind: "bagSpec", bagSpec }, protocol: bag() };
    }
    case "combining":
      return {
        spec: { oneofKind: "combiningSpec", combiningSpec: combining(pipeline, name, spec) },
        protocol: bag(),
      };
    case "set": {
      const setSpec = { elementCoderId: coderIdOrGeneral(pipeline, spec.coder) };
      return { spec: { oneofKind: "setSpec", setSpec }, protocol: multimap() };
    }
    case "map": {
      const mapSpec = {
        keyCoderId: coderIdOrGeneral(pipeline, spec.keyCoder),
        valueCoderId: coderIdOrGeneral(pipeline, spec.valueCoder),
      };
      return { spec: { oneofKind: "mapSpec", mapSpec }, protocol: multimap() };
    }
  }
}

/** How the state is kept over the Fn API. */
const STATE_PROTOCOLS = {
  bag: () => ({ urn: "beam:user_state:bag:v1", payload: new Uint8Array() }),
  multimap: () => ({ urn: "beam:user_state:multimap:v1", payload: new Uint8Array() }),
};

function combining(
  pipeline: Pipeline,
  name: string,
  spec: CombiningStateSpec<unknown, unknown, unknown>,
): runnerApi.CombiningStateSpec {
  return {
    accumulatorCoderId: coderIdOrGeneral(pipeline, spec.accumulatorCoder),
    combineFn: { urn: DECLARED_COMBINE_FN_URN, payload: new TextEncoder().encode(name) },
  };
}

function windowCoderIdOf(pipeline: Pipeline, collection: PCollection<unknown>): string {
  const { windowingStrategies } = pipeline.getProto().components!;
  return windowingStrategies[windowingStrategyIdOf(pipeline, collection)]!.windowCoderId;
}

/** How each side input is read, by local name: the name of the DoFn's field. */
export function sideInputsPart(
  pipeline: Pipeline,
  input: PCollection<unknown>,
  specs: DoFnSpecs,
  collections: Readonly<Record<string, PCollection<unknown>>>,
): PayloadPart {
  const strategyId = windowingStrategyIdOf(pipeline, input);
  const sideInputs = [...specs.sideInputs].map(([name, spec]) => {
    const sideStrategyId = windowingStrategyIdOf(pipeline, collections[name]!);
    return [name, sideInput(spec, mappingUrn(pipeline, strategyId, sideStrategyId))];
  });
  return { sideInputs: Object.fromEntries(sideInputs) };
}

function sideInput({ kind }: SideInputSpec, windowMappingUrn: string): runnerApi.SideInput {
  const byKey = kind === "map" || kind === "multimap";
  const spec = (urn: string) => ({ urn, payload: new Uint8Array() });
  return {
    accessPattern: spec(byKey ? MULTIMAP_ACCESS_URN : ITERABLE_ACCESS_URN),
    viewFn: spec(`${VIEW_FN_URN_PREFIX}${kind}:v1`),
    windowMappingFn: spec(windowMappingUrn),
  };
}

function mappingUrn(pipeline: Pipeline, mainStrategyId: string, sideStrategyId: string): string {
  const side = pipeline.getProto().components!.windowingStrategies[sideStrategyId]!;
  if (side.windowFn?.urn === "beam:window_fn:global_windows:v1") return GLOBAL_MAPPING_URN;
  return mainStrategyId === sideStrategyId ? IDENTITY_MAPPING_URN : ASSIGN_MAX_TIMESTAMP_MAPPING_URN;
}

export function windowingStrategyIdOf(pipeline: Pipeline, collection: PCollection<unknown>): string {
  return pipeline.getProto().components!.pcollections[collection.getId()]!.windowingStrategyId;
}

/** Adds to what the pipeline requires of its runner, once. */
export function addRequirement(pipeline: Pipeline, requirement: string): void {
  const { requirements } = pipeline.getProto();
  if (!requirements.includes(requirement)) requirements.push(requirement);
}
