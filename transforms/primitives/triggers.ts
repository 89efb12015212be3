/** Triggers: when a window's pane is emitted, as they stand in a windowing strategy. */
import type { runnerApi } from "./beam.js";
import { checkWholeMs } from "./window-fn.js";

/** Beam's trigger as the graph holds it. */
export type Trigger = runnerApi.Trigger;

/** When the watermark has passed the end of the window, and for every late element after that. */
export function defaultTrigger(): Trigger {
  return { trigger: { oneofKind: "default", default: {} } };
}

/** Once when the watermark has passed the end of the window; before it as `early` says, after it as `late` does, again and again. */
export function afterWatermark({
  early,
  late,
}: {
  readonly early?: Trigger;
  readonly late?: Trigger;
} = {}): Trigger {
  return {
    trigger: {
      oneofKind: "afterEndOfWindow",
      afterEndOfWindow: { ...(early && { earlyFirings: early }), ...(late && { lateFirings: late }) },
    },
  };
}

/** Once when the pane has `count` elements. */
export function afterCount(count: number): Trigger {
  checkWholeMs("count of afterCount", count, 1);
  return { trigger: { oneofKind: "elementCount", elementCount: { elementCount: count } } };
}

/**
 * Once, `delayMs` of processing time after the first element of the pane, then at the next multiple of
 * `alignToMs` since 1970 (at once, if it is one).
 */
export function afterProcessingTime({
  delayMs,
  alignToMs,
}: {
  readonly delayMs?: number;
  readonly alignToMs?: number;
} = {}): Trigger {
  const timestampTransforms: runnerApi.TimestampTransform[] = [];
  if (delayMs !== undefined) {
    checkWholeMs("delayMs of afterProcessingTime", delayMs, 0);
    const delay = { delayMillis: BigInt(delayMs) };
    timestampTransforms.push({ timestampTransform: { oneofKind: "delay", delay } });
  }
  if (alignToMs !== undefined) {
    checkWholeMs("alignToMs of afterProcessingTime", alignToMs, 1);
    const alignTo = { period: BigInt(alignToMs), offset: 0n };
    timestampTransforms.push({ timestampTransform: { oneofKind: "alignTo", alignTo } });
  }
  return { trigger: { oneofKind: "afterProcessingTime", afterProcessingTime: { timestampTransforms } } };
}

/** The trigger from the start again each time it has finished. */
export function repeatedly(subtrigger: Trigger): Trigger {
  return { trigger: { oneofKind: "repeat", repeat: { subtrigger } } };
}

/** One trigger after the other. */
export function afterEach(...subtriggers: Trigger[]): Trigger {
  return { trigger: { oneofKind: "afterEach", afterEach: { subtriggers: some("afterEach", subtriggers) } } };
}

/** Once, with the first that would fire. */
export function afterFirst(...subtriggers: Trigger[]): Trigger {
  return { trigger: { oneofKind: "afterAny", afterAny: { subtriggers: some("afterFirst", subtriggers) } } };
}

/** Once, when all would have fired. */
export function afterAll(...subtriggers: Trigger[]): Trigger {
  return { trigger: { oneofKind: "afterAll", afterAll: { subtriggers: some("afterAll", subtriggers) } } };
}

/** As `main`, until `until` fires: with it, once more, and never again. */
export function orFinally(main: Trigger, until: Trigger): Trigger {
  return { trigger: { oneofKind: "orFinally", orFinally: { main, finally: until } } };
}

/** Nothing before the window expires. */
export function never(): Trigger {
  return { trigger: { oneofKind: "never", never: {} } };
}

function some(name: string, subtriggers: Trigger[]): Trigger[] {
  if (subtriggers.length === 0) throw new Error(`${name} must be given at least one trigger`);
  return subtriggers;
}

/**
 * The trigger of what a GroupByKey emits, for the next one: it passes on what the first one lets through
 * as soon as it can. Beam's rules: a count becomes a count of one, processing time a synchronized one.
 */
export function continuationOf({ trigger }: Trigger): Trigger {
  const all = (triggers: readonly Trigger[]) => triggers.map(continuationOf);
  switch (trigger.oneofKind) {
    case "elementCount":
      return afterCount(1);
    case "afterProcessingTime":
    case "afterSynchronizedProcessingTime":
      return {
        trigger: { oneofKind: "afterSynchronizedProcessingTime", afterSynchronizedProcessingTime: {} },
      };
    case "afterEndOfWindow": {
      const { earlyFirings, lateFirings } = trigger.afterEndOfWindow;
      return afterWatermark({
        ...(earlyFirings && { early: continuationOf(earlyFirings) }),
        ...(lateFirings && { late: continuationOf(lateFirings) }),
      });
    }
    case "repeat":
      return repeatedly(continuationOf(trigger.repeat.subtrigger!));
    case "afterEach":
      return repeatedly(afterFirst(...all(trigger.afterEach.subtriggers)));
    case "afterAny":
      return afterFirst(...all(trigger.afterAny.subtriggers));
    case "afterAll":
      return afterAll(...all(trigger.afterAll.subtriggers));
    case "orFinally":
      return orFinally(continuationOf(trigger.orFinally.main!), continuationOf(trigger.orFinally.finally!));
    default:
      return { trigger };
  }
}
