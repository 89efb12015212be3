/** Features of windowing strategies: windows, triggers, panes, lateness, where a step introduces them. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import { CALENDAR_DAYS_URN, CALENDAR_MONTHS_URN } from "../../transforms/primitives/calendar-windows.js";
import { readJsonPayload } from "../../transforms/primitives/window-fn.js";
import {
  FIXED_WINDOWS_URN,
  GLOBAL_WINDOWS_URN,
  isWindowFnRegistered,
  REGISTERED_WINDOW_FN_URN,
  SESSION_WINDOWS_URN,
  SLIDING_WINDOWS_URN,
} from "../../transforms/primitives/window-fns.js";
import { type Detector, NOT_USED, usedIf, usesOf } from "./detector.js";

const { MergeStatus_Enum, AccumulationMode_Enum, OutputTime_Enum } = runnerApi;

type TriggerKind = NonNullable<runnerApi.Trigger["trigger"]["oneofKind"]>;

const CALENDAR_URNS: readonly string[] = [CALENDAR_DAYS_URN, CALENDAR_MONTHS_URN];
const KNOWN_WINDOWS: readonly string[] = [
  GLOBAL_WINDOWS_URN,
  FIXED_WINDOWS_URN,
  SLIDING_WINDOWS_URN,
  SESSION_WINDOWS_URN,
  REGISTERED_WINDOW_FN_URN,
  ...CALENDAR_URNS,
];

export const strategyDetectors = {
  "fixed windows": windows((urn) => usedIf(urn === FIXED_WINDOWS_URN)),
  "sliding windows": windows((urn) => usedIf(urn === SLIDING_WINDOWS_URN)),
  "session windows": windows((urn) => usedIf(urn === SESSION_WINDOWS_URN)),
  "calendar windows": windows((urn) => usedIf(CALENDAR_URNS.includes(urn))),
  "custom windows": windows((urn, payload) => registeredNames(urn, payload)),
  "unregistered window function": windows((urn, payload) =>
    registeredNames(urn, payload).filter((name) => !isWindowFnRegistered(name)),
  ),
  "unknown windows": windows((urn) => (KNOWN_WINDOWS.includes(urn) ? NOT_USED : [urn || "no URN"])),
  "merging windows": newStrategy((strategy) => usedIf(strategy.mergeStatus === MergeStatus_Enum.NEEDS_MERGE)),
  "watermark trigger": triggers("afterEndOfWindow"),
  "count trigger": triggers("elementCount"),
  "processing-time trigger": triggers("afterProcessingTime", "afterSynchronizedProcessingTime"),
  "composite triggers": triggers("repeat", "afterEach", "afterAny", "afterAll", "orFinally"),
  "never trigger": triggers("never"),
  "always trigger": triggers("always"),
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
} satisfies Record<string, Detector>;

function windows(detect: (urn: string, payload: Uint8Array) => readonly string[]): Detector {
  return newStrategy(({ windowFn }) => detect(windowFn?.urn ?? "", windowFn?.payload ?? new Uint8Array()));
}

function registeredNames(urn: string, payload: Uint8Array): readonly string[] {
  return urn === REGISTERED_WINDOW_FN_URN ? [readJsonPayload<{ fn: string }>(payload).fn] : NOT_USED;
}

/** Uses of these kinds, anywhere in a trigger. */
function triggers(...kinds: readonly TriggerKind[]): Detector {
  return newStrategy(({ trigger }) => {
    const used = new Set(kindsIn(trigger));
    return usesOf(kinds.filter((kind) => used.has(kind)));
  });
}

function kindsIn(trigger: runnerApi.Trigger | undefined): TriggerKind[] {
  const kind = trigger?.trigger.oneofKind;
  if (trigger === undefined || kind === undefined) return [];
  return [kind, ...partsOf(trigger).flatMap(kindsIn)];
}

function partsOf({ trigger }: runnerApi.Trigger): (runnerApi.Trigger | undefined)[] {
  switch (trigger.oneofKind) {
    case "afterEndOfWindow":
      return [trigger.afterEndOfWindow.earlyFirings, trigger.afterEndOfWindow.lateFirings];
    case "repeat":
      return [trigger.repeat.subtrigger];
    case "afterEach":
      return trigger.afterEach.subtriggers;
    case "afterAny":
      return trigger.afterAny.subtriggers;
    case "afterAll":
      return trigger.afterAll.subtriggers;
    case "orFinally":
      return [trigger.orFinally.main, trigger.orFinally.finally];
    default:
      return [];
  }
}

/**
 * Looks at the windowing strategies that a step introduces: not at those it has from its inputs, nor at what
 * a GroupByKey makes of its input's.
 */
function newStrategy(detect: (strategy: runnerApi.WindowingStrategy) => readonly string[]): Detector {
  return ({ step, proto }) => {
    if (step === undefined || step.kind === "groupByKey") return NOT_USED;
    const { pcollections, windowingStrategies } = proto.components!;
    const strategyOf = (id: string) => pcollections[id]!.windowingStrategyId;
    const inherited = new Set(Object.values(step.transform.inputs).map(strategyOf));
    const introduced = new Set(Object.values(step.transform.outputs).map(strategyOf));
    return [...introduced]
      .filter((id) => !inherited.has(id))
      .flatMap((id) => detect(windowingStrategies[id]!));
  };
}
