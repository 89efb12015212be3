/** The table of features: for each name, how to see in a graph that a step uses it. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import { FINALIZATION_REQUIREMENT } from "../../transforms/primitives/par-do-payload.js";
import { SPLITTABLE_REQUIREMENT } from "../../transforms/primitives/splittable-par-do.js";
import type { DoFnSpec, ParDoStep, Step } from "./step.js";

/** What a detector looks at: one step, or without a step the graph as a whole. */
export interface Inspected {
  readonly step: Step | undefined;
  readonly proto: runnerApi.Pipeline;
  readonly isRegistered: (fn: string) => boolean;
}

/** One entry for each use of the feature: what exactly is used, or "" if there is nothing to add. */
type Detector = (inspected: Inspected) => readonly string[];

const NOT_USED: readonly string[] = [];
const USED: readonly string[] = [""];
const { IsBounded_Enum, MergeStatus_Enum, AccumulationMode_Enum, OutputTime_Enum } = runnerApi;

/** Names are for people: they stand in messages and in the table of what each runner can do. */
export const detectors = {
  "unknown transform": ({ step }) => (step?.kind === "unknown" ? [step.urn || "no URN"] : NOT_USED),
  GroupByKey: ({ step }) => usedIf(step?.kind === "groupByKey"),
  "splittable DoFn": parDo((step) => usedIf(step.isSplittable)),
  state: parDo((step) => namesOf(step.payload.stateSpecs)),
  timers: parDo((step) => namesOf(step.payload.timerFamilySpecs)),
  "on window expiration": parDo((step) => usedIf(step.payload.onWindowExpirationTimerFamilySpec !== "")),
  "side inputs": parDo((step) => namesOf(step.payload.sideInputs)),
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
  "windows other than global": newStrategy((strategy) =>
    strategy.windowFn?.urn === "beam:window_fn:global_windows:v1"
      ? NOT_USED
      : [strategy.windowFn?.urn ?? "none"],
  ),
  "merging windows": newStrategy((strategy) => usedIf(strategy.mergeStatus === MergeStatus_Enum.NEEDS_MERGE)),
  triggers: newStrategy(({ trigger }) => {
    const kind = trigger?.trigger.oneofKind ?? "default";
    return kind === "default" ? NOT_USED : [kind];
  }),
  "accumulating panes": newStrategy((strategy) =>
    usedIf(strategy.accumulationMode === AccumulationMode_Enum.ACCUMULATING),
  ),
  "retracting panes": newStrategy((strategy) =>
    usedIf(strategy.accumulationMode === AccumulationMode_Enum.RETRACTING),
  ),
  "timestamp combiner": newStrategy((strategy) =>
    strategy.outputTime === OutputTime_Enum.LATEST_IN_PANE ||
    strategy.outputTime === OutputTime_Enum.EARLIEST_IN_PANE
      ? [OutputTime_Enum[strategy.outputTime]]
      : NOT_USED,
  ),
  "allowed lateness": newStrategy(({ allowedLateness }) =>
    allowedLateness > 0n ? [`${allowedLateness} ms`] : NOT_USED,
  ),
  "Flatten of bounded with unbounded": ({ step, proto }) => {
    if (step?.kind !== "flatten") return NOT_USED;
    const kinds = new Set(step.inputs.map((id) => proto.components!.pcollections[id]!.isBounded));
    return usedIf(kinds.has(IsBounded_Enum.BOUNDED) && kinds.has(IsBounded_Enum.UNBOUNDED));
  },
  "foreign environment": ({ step, proto }) => {
    const urn = proto.components!.environments[step?.transform.environmentId ?? ""]?.urn;
    return urn === undefined || urn === "js_default" ? NOT_USED : [urn];
  },
  "unknown requirement": ({ step, proto }) =>
    step === undefined ? proto.requirements.filter((urn) => !KNOWN_REQUIREMENTS.has(urn)) : NOT_USED,
} satisfies Record<string, Detector>;

/** Requirements that the steps show as well, so that they are refused there, by name. */
const KNOWN_REQUIREMENTS = new Set([
  FINALIZATION_REQUIREMENT,
  SPLITTABLE_REQUIREMENT,
  "beam:requirement:pardo:on_window_expiration:v1",
  "beam:requirement:pardo:stable_input:v1",
  "beam:requirement:pardo:stateful:v1",
  "beam:requirement:pardo:time_sorted_input:v1",
]);

const SDK_DO_FNS = new Set([
  "beam:dofn:identity:0.1",
  "beam:dofn:js_assign_timestamps:v1",
  "beam:dofn:js_window_into:v1",
  "beam:dofn:serialized_js_dofn_info:v1",
  "beam:dofn:splitting_dofn:v1",
]);

function usedIf(condition: boolean): readonly string[] {
  return condition ? USED : NOT_USED;
}

function namesOf(specs: Readonly<Record<string, unknown>>): readonly string[] {
  const names = Object.keys(specs);
  return names.length === 0 ? NOT_USED : [names.join(", ")];
}

function parDo(detect: (step: ParDoStep) => readonly string[]): Detector {
  return ({ step }) => (step?.kind === "parDo" ? detect(step) : NOT_USED);
}

function doFnUrn(urn: string): Detector {
  return parDo(({ doFn }) => usedIf(doFn.kind === "other" && doFn.urn === urn));
}

function isUnknownDoFn(doFn: DoFnSpec): doFn is DoFnSpec & { kind: "other" } {
  return doFn.kind === "other" && !SDK_DO_FNS.has(doFn.urn);
}

/** Looks at the windowing strategies that a step introduces: not at those it has from its inputs. */
function newStrategy(detect: (strategy: runnerApi.WindowingStrategy) => readonly string[]): Detector {
  return ({ step, proto }) => {
    if (step === undefined) return NOT_USED;
    const { pcollections, windowingStrategies } = proto.components!;
    const strategyOf = (id: string) => pcollections[id]!.windowingStrategyId;
    const inherited = new Set(Object.values(step.transform.inputs).map(strategyOf));
    const introduced = new Set(Object.values(step.transform.outputs).map(strategyOf));
    return [...introduced]
      .filter((id) => !inherited.has(id))
      .flatMap((id) => detect(windowingStrategies[id]!));
  };
}
