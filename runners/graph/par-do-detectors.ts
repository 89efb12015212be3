/** Features of ParDos: what kind of DoFn, and what its payload asks for. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import {
  ASSIGN_MAX_TIMESTAMP_MAPPING_URN,
  ITERABLE_ACCESS_URN,
  MULTIMAP_ACCESS_URN,
  VIEW_FN_URN_PREFIX,
} from "../../transforms/primitives/par-do-payload.js";
import { type Detector, NOT_USED, parDo, usedIf, usesOf } from "./detector.js";
import { isTriggered } from "./side-input-windows.js";
import type { DoFnSpec, ParDoStep } from "./step.js";

const { IsBounded_Enum, MergeStatus_Enum, TimeDomain_Enum } = runnerApi;

type StateKind = NonNullable<runnerApi.StateSpec["spec"]["oneofKind"]>;

export const parDoDetectors = {
  "bounded splittable DoFn": splittable(false),
  "unbounded splittable DoFn": splittable(true),
  "value state": states("readModifyWriteSpec"),
  "bag state": states("bagSpec"),
  "combining state": states("combiningSpec"),
  "set state": states("setSpec"),
  "map state": states("mapSpec"),
  "ordered list state": states("orderedListSpec"),
  "unknown state": states(undefined),
  "event-time timers": timers(TimeDomain_Enum.EVENT_TIME),
  "processing-time timers": timers(TimeDomain_Enum.PROCESSING_TIME),
  "unknown timers": timers(TimeDomain_Enum.UNSPECIFIED),
  "on window expiration": parDo((step) => usedIf(step.payload.onWindowExpirationTimerFamilySpec !== "")),
  "iterable side input": sideInputs((kind) => kind === "iterable"),
  "singleton side input": sideInputs((kind) => kind === "singleton"),
  "map side input": sideInputs((kind) => kind === "map"),
  "multimap side input": sideInputs((kind) => kind === "multimap"),
  "unknown side input": sideInputs((kind) => kind === "unknown"),
  "triggered side input": sideInputs((_kind, _spec, strategy) => isTriggered(strategy)),
  "side input of merging windows": sideInputs(
    (_kind, { windowMappingFn }, { mergeStatus }) =>
      mergeStatus !== MergeStatus_Enum.NON_MERGING &&
      windowMappingFn?.urn === ASSIGN_MAX_TIMESTAMP_MAPPING_URN,
  ),
  "bundle finalization": parDo((step) => usedIf(step.payload.requestsFinalization)),
  "time-sorted input": parDo((step) => usedIf(step.payload.requiresTimeSortedInput)),
  "stable input": parDo((step) => usedIf(step.payload.requiresStableInput)),
  "SDK-serialised DoFn": doFnUrn("beam:dofn:serialized_js_dofn_info:v1"),
  "SDK identity DoFn": doFnUrn("beam:dofn:identity:0.1"),
  "SDK split DoFn": doFnUrn("beam:dofn:splitting_dofn:v1"),
  "SDK window assignment": doFnUrn("beam:dofn:js_window_into:v1"),
  "SDK timestamp assignment": doFnUrn("beam:dofn:js_assign_timestamps:v1"),
  "unknown DoFn": parDo(({ doFn }) => (isUnknownDoFn(doFn) ? [doFn.urn || "no URN"] : NOT_USED)),
  "unregistered DoFn": ({ step, isRegistered }) =>
    step?.kind === "parDo" && step.doFn.kind === "registered" && !isRegistered(step.doFn.fn)
      ? [step.doFn.fn]
      : NOT_USED,
} satisfies Record<string, Detector>;

const SDK_DO_FNS = new Set([
  "beam:dofn:identity:0.1",
  "beam:dofn:js_assign_timestamps:v1",
  "beam:dofn:js_window_into:v1",
  "beam:dofn:serialized_js_dofn_info:v1",
  "beam:dofn:splitting_dofn:v1",
]);

function doFnUrn(urn: string): Detector {
  return parDo(({ doFn }) => usedIf(doFn.kind === "other" && doFn.urn === urn));
}

function isUnknownDoFn(doFn: DoFnSpec): doFn is DoFnSpec & { kind: "other" } {
  return doFn.kind === "other" && !SDK_DO_FNS.has(doFn.urn);
}

/** One whose outputs are unbounded though its input is not goes on for ever. */
function splittable(isUnbounded: boolean): Detector {
  return parDo((step, proto) => {
    const { pcollections } = proto.components!;
    const outputs = [...step.outputs.values()].map((id) => pcollections[id]!.isBounded);
    return usedIf(step.isSplittable && outputs.includes(IsBounded_Enum.UNBOUNDED) === isUnbounded);
  });
}

function states(kind: StateKind | undefined): Detector {
  return parDo(({ payload }) => {
    const specs = Object.entries(payload.stateSpecs);
    return usesOf(specs.filter(([, { spec }]) => spec.oneofKind === kind).map(([name]) => name));
  });
}

function timers(domain: runnerApi.TimeDomain_Enum): Detector {
  return parDo(({ payload }) => {
    const families = Object.entries(payload.timerFamilySpecs).filter(
      ([name]) => name !== payload.onWindowExpirationTimerFamilySpec,
    );
    return usesOf(families.filter(([, { timeDomain }]) => timeDomain === domain).map(([name]) => name));
  });
}

type SideInputKind = "iterable" | "singleton" | "map" | "multimap" | "unknown";

function sideInputs(
  isWanted: (
    kind: SideInputKind,
    spec: runnerApi.SideInput,
    strategy: runnerApi.WindowingStrategy,
  ) => boolean,
): Detector {
  return parDo((step, proto) => {
    const { pcollections, windowingStrategies } = proto.components!;
    const names = [...step.sideInputs].filter(([name, collection]) => {
      const spec = specOf(step, name);
      const strategy = windowingStrategies[pcollections[collection]!.windowingStrategyId]!;
      return isWanted(kindOf(spec), spec, strategy);
    });
    return usesOf(names.map(([name]) => name));
  });
}

function specOf({ payload }: ParDoStep, name: string): runnerApi.SideInput {
  return payload.sideInputs[name]!;
}

/** The SDK does not tell a singleton from an iterable; its view is in the serialised DoFn. */
function kindOf({ accessPattern, viewFn }: runnerApi.SideInput): SideInputKind {
  const isView = (kind: SideInputKind) => viewFn?.urn === `${VIEW_FN_URN_PREFIX}${kind}:v1`;
  if (accessPattern?.urn === ITERABLE_ACCESS_URN) return isView("singleton") ? "singleton" : "iterable";
  if (accessPattern?.urn === MULTIMAP_ACCESS_URN) return isView("map") ? "map" : "multimap";
  return "unknown";
}
