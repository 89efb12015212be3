/** Windowing strategies of a graph as the engine takes them. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import type { Window } from "../../transforms/primitives/window.js";
import type { WindowFn } from "../../transforms/primitives/window-fn.js";
import { windowFnFromProto } from "../../transforms/primitives/window-fns.js";
import { MAX_WATERMARK_MS } from "../engine/element.js";
import type { TimestampTransform, TriggerSpec, WindowingStrategy } from "../engine/windowing-strategy.js";

const {
  AccumulationMode_Enum,
  ClosingBehavior_Enum,
  MergeStatus_Enum,
  OnTimeBehavior_Enum,
  OutputTime_Enum,
} = runnerApi;

/** @throws on a window function or trigger that is not known, and on retracting panes. */
export function toWindowingStrategy(strategy: runnerApi.WindowingStrategy): WindowingStrategy {
  return {
    windowFn: groupingFnOf(strategy),
    trigger: toTriggerSpec(strategy.trigger),
    accumulation: accumulationOf(strategy.accumulationMode),
    timestampCombiner: timestampCombinerOf(strategy.outputTime),
    allowedLatenessMs: allowedLatenessMsOf(strategy),
    closingBehavior:
      strategy.closingBehavior === ClosingBehavior_Enum.EMIT_ALWAYS ? "emit-always" : "emit-if-non-empty",
    onTimeBehavior:
      strategy.onTimeBehavior === OnTimeBehavior_Enum.FIRE_IF_NONEMPTY ? "fire-if-non-empty" : "fire-always",
  };
}

/** No time lies further ahead than the end of time. */
export function allowedLatenessMsOf({ allowedLateness }: runnerApi.WindowingStrategy): number {
  return Math.min(Number(allowedLateness), MAX_WATERMARK_MS);
}

/** Windows that an earlier grouping has merged are not merged again. */
function groupingFnOf({ windowFn, mergeStatus }: runnerApi.WindowingStrategy): WindowingStrategy["windowFn"] {
  if (mergeStatus !== MergeStatus_Enum.NEEDS_MERGE) return { isMerging: false, merge: () => [] };
  const fn: WindowFn = windowFnFromProto(windowFn);
  if (fn.merge === undefined)
    throw new Error(`window function "${windowFn?.urn}" must say how windows merge`);
  const merge = (windows: readonly Window[]) => fn.merge!(windows);
  return { isMerging: true, merge, startMsOf: fn.startMsOf };
}

function accumulationOf(mode: runnerApi.AccumulationMode_Enum): WindowingStrategy["accumulation"] {
  if (mode === AccumulationMode_Enum.RETRACTING) throw new Error("retracting panes are not known");
  return mode === AccumulationMode_Enum.ACCUMULATING ? "accumulating" : "discarding";
}

export function timestampCombinerOf(
  outputTime: runnerApi.OutputTime_Enum,
): WindowingStrategy["timestampCombiner"] {
  if (outputTime === OutputTime_Enum.EARLIEST_IN_PANE) return "earliest";
  return outputTime === OutputTime_Enum.LATEST_IN_PANE ? "latest" : "end-of-window";
}

/** A trigger that is not given is the default one. @throws on one that lacks a part, or is not known. */
export function toTriggerSpec(proto: runnerApi.Trigger | undefined): TriggerSpec {
  const trigger = proto?.trigger ?? { oneofKind: undefined };
  const all = (triggers: readonly runnerApi.Trigger[]) => triggers.map(part);
  switch (trigger.oneofKind) {
    case undefined:
    case "default":
      return { kind: "default" };
    case "never":
    case "always":
      return { kind: trigger.oneofKind };
    case "elementCount":
      return { kind: "after-count", count: trigger.elementCount.elementCount };
    case "afterEndOfWindow": {
      const { earlyFirings, lateFirings } = trigger.afterEndOfWindow;
      return {
        kind: "after-end-of-window",
        ...(earlyFirings && { early: toTriggerSpec(earlyFirings) }),
        ...(lateFirings && { late: toTriggerSpec(lateFirings) }),
      };
    }
    case "afterProcessingTime": {
      const transforms = trigger.afterProcessingTime.timestampTransforms.map(toTimestampTransform);
      return { kind: "after-processing-time", transforms };
    }
    case "afterSynchronizedProcessingTime":
      return { kind: "after-synchronized-processing-time" };
    case "repeat":
      return { kind: "repeat", of: part(trigger.repeat.subtrigger) };
    case "afterEach":
      return { kind: "after-each", of: all(trigger.afterEach.subtriggers) };
    case "afterAny":
      return { kind: "after-first", of: all(trigger.afterAny.subtriggers) };
    case "afterAll":
      return { kind: "after-all", of: all(trigger.afterAll.subtriggers) };
    case "orFinally":
      return {
        kind: "or-finally",
        main: part(trigger.orFinally.main),
        finally: part(trigger.orFinally.finally),
      };
  }
}

function part(trigger: runnerApi.Trigger | undefined): TriggerSpec {
  if (trigger?.trigger.oneofKind === undefined)
    throw new Error("a trigger lacks the trigger that it is made of");
  return toTriggerSpec(trigger);
}

function toTimestampTransform({
  timestampTransform: given,
}: runnerApi.TimestampTransform): TimestampTransform {
  if (given.oneofKind === "delay") return { kind: "delay", delayMs: Number(given.delay.delayMillis) };
  if (given.oneofKind === "alignTo") {
    return {
      kind: "align",
      periodMs: Number(given.alignTo.period),
      offsetMs: Number(given.alignTo.offset),
    };
  }
  throw new Error("a trigger after processing time must delay or align");
}
