/** windowInto and triggers: the strategy in the graph, and the windows that elements get. */
import { expect } from "chai";
import { P, runnerApi, withName } from "../../../transforms/primitives/beam.js";
import { createDoFn } from "../../../transforms/primitives/fn-registry.js";
import { kvCoderId } from "../../../transforms/primitives/graph-coders.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { createOutput, type RegisteredDoFn } from "../../../transforms/primitives/par-do.js";
import {
  afterAll,
  afterCount,
  afterEach,
  afterFirst,
  afterProcessingTime,
  afterWatermark,
  continuationOf,
  defaultTrigger,
  never,
  orFinally,
  repeatedly,
  type Trigger,
} from "../../../transforms/primitives/triggers.js";
import { IntervalWindow } from "../../../transforms/primitives/window.js";
import {
  fixedWindows,
  registeredWindowFn,
  registerWindowFn,
  sessions,
  slidingWindows,
} from "../../../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../../../transforms/primitives/window-into.js";
import { coderText, collectionOf, emitted, payloadOf, startGraph, strategyOf } from "./graph-under-test.js";

const NAMED_WINDOWS = registerWindowFn("test/named-windows@1", () => ({
  windowCoder: "custom" as const,
  assign: () => [{ id: "only", maxTimestampMs: 9 }],
}));

function strategyWith(windowFn: Parameters<typeof windowInto>[0], options?: WindowingOptions) {
  const { pipeline, input } = startGraph();
  const output = P(input).apply(withName("Window", windowInto<Uint8Array>(windowFn, options)));
  return { pipeline, input, output, strategy: strategyOf(pipeline, output) };
}

const {
  AccumulationMode_Enum,
  ClosingBehavior_Enum,
  MergeStatus_Enum,
  OnTimeBehavior_Enum,
  OutputTime_Enum,
} = runnerApi;

describe("windowInto", () => {
  it("windowInto() by default waits for the end of the window, discards, and allows no lateness", () => {
    const { pipeline, strategy } = strategyWith(fixedWindows(10));
    const { windowCoderId, windowFn, ...rest } = strategy;
    expect(windowFn).to.deep.equal(fixedWindows(10).toProto());
    expect(coderText(pipeline, windowCoderId)).to.equal("interval_window");
    expect(rest).to.deep.equal({
      mergeStatus: MergeStatus_Enum.NON_MERGING,
      trigger: { trigger: { oneofKind: "default", default: {} } },
      accumulationMode: AccumulationMode_Enum.DISCARDING,
      outputTime: OutputTime_Enum.END_OF_WINDOW,
      closingBehavior: ClosingBehavior_Enum.EMIT_IF_NONEMPTY,
      onTimeBehavior: OnTimeBehavior_Enum.FIRE_ALWAYS,
      allowedLateness: 0n,
      assignsToOneWindow: true,
      environmentId: "jsEnvironment",
    });
  });

  it("windowInto() writes every option", () => {
    const { strategy } = strategyWith(slidingWindows({ sizeMs: 10, periodMs: 5 }), {
      trigger: afterCount(3),
      accumulation: "accumulating",
      allowedLatenessMs: 1500,
      timestampCombiner: "earliest",
      closingBehavior: "emit-always",
      onTimeBehavior: "fire-if-non-empty",
    });
    expect(strategy).to.deep.include({
      trigger: { trigger: { oneofKind: "elementCount", elementCount: { elementCount: 3 } } },
      accumulationMode: AccumulationMode_Enum.ACCUMULATING,
      outputTime: OutputTime_Enum.EARLIEST_IN_PANE,
      closingBehavior: ClosingBehavior_Enum.EMIT_ALWAYS,
      onTimeBehavior: OnTimeBehavior_Enum.FIRE_IF_NONEMPTY,
      allowedLateness: 1500n,
      assignsToOneWindow: false,
    });
  });

  it("windowInto() says that sessions need merging, and encodes custom windows as such", () => {
    expect(strategyWith(sessions(10)).strategy.mergeStatus).to.equal(MergeStatus_Enum.NEEDS_MERGE);
    const { pipeline, strategy } = strategyWith(registeredWindowFn(NAMED_WINDOWS, null));
    expect(coderText(pipeline, strategy.windowCoderId)).to.equal("custom_window<genericobjectjs>");
  });

  it("windowInto() keeps coder and boundedness of its input", () => {
    const { pipeline, input, output } = strategyWith(fixedWindows(10));
    const { coderId, isBounded } = collectionOf(pipeline, output);
    expect({ coderId, isBounded }).to.deep.include({
      coderId: collectionOf(pipeline, input).coderId,
      isBounded: collectionOf(pipeline, input).isBounded,
    });
  });

  it("windowInto() with a trigger of its own needs to be told whether panes accumulate", () => {
    expect(() => windowInto(fixedWindows(10), { trigger: repeatedly(afterCount(1)) })).to.throw(
      'windowInto with trigger "repeat" needs accumulation: "discarding" or "accumulating"',
    );
    expect(() => windowInto(fixedWindows(10), { trigger: defaultTrigger() })).to.not.throw();
    expect(() => windowInto(fixedWindows(10), { allowedLatenessMs: -1 })).to.throw(
      "allowedLatenessMs of windowInto must be at least 0, got -1",
    );
  });

  it("windowInto() runs as a registered DoFn that assigns once, and drops what is in no window", () => {
    const { pipeline } = strategyWith(slidingWindows({ sizeMs: 2, periodMs: 5 }));
    const doFn = JSON.parse(new TextDecoder().decode(payloadOf(pipeline, "Window").doFn!.payload));
    const { fn, config } = doFn as RegisteredDoFn;
    const window = createDoFn(fn, config);
    const windows = [new IntervalWindow(5, 7)];
    expect(emitted(window, "a", 6)).to.deep.equal([{ value: "a", timestampMs: 6, windows, pane: undefined }]);
    expect(emitted(window, "b", 8)).to.deep.equal([]);
  });
});

/** A trigger as text, parts in brackets. */
function text({ trigger }: Trigger): string {
  const all = (triggers: readonly Trigger[]) => triggers.map(text).join(", ");
  switch (trigger.oneofKind) {
    case "elementCount":
      return `count ${trigger.elementCount.elementCount}`;
    case "afterEndOfWindow": {
      const { earlyFirings, lateFirings } = trigger.afterEndOfWindow;
      return `end(${earlyFirings ? text(earlyFirings) : ""} | ${lateFirings ? text(lateFirings) : ""})`;
    }
    case "afterProcessingTime":
      return `delay(${trigger.afterProcessingTime.timestampTransforms
        .map(({ timestampTransform: t }) =>
          t.oneofKind === "delay"
            ? `+${t.delay.delayMillis}`
            : t.oneofKind === "alignTo" && `/${t.alignTo.period}`,
        )
        .join(" ")})`;
    case "repeat":
      return `repeat(${text(trigger.repeat.subtrigger!)})`;
    case "afterEach":
      return `each(${all(trigger.afterEach.subtriggers)})`;
    case "afterAny":
      return `first(${all(trigger.afterAny.subtriggers)})`;
    case "afterAll":
      return `all(${all(trigger.afterAll.subtriggers)})`;
    case "orFinally":
      return `${text(trigger.orFinally.main!)} until ${text(trigger.orFinally.finally!)}`;
    default:
      return trigger.oneofKind ?? "nothing";
  }
}

describe("triggers", () => {
  const count = afterCount(2);
  const delay = afterProcessingTime({ delayMs: 5, alignToMs: 60 });
  const table: readonly [Trigger, string, string][] = [
    [defaultTrigger(), "default", "default"],
    [never(), "never", "never"],
    [count, "count 2", "count 1"],
    [afterProcessingTime(), "delay()", "afterSynchronizedProcessingTime"],
    [delay, "delay(+5 /60)", "afterSynchronizedProcessingTime"],
    [afterWatermark(), "end( | )", "end( | )"],
    [
      afterWatermark({ early: delay, late: count }),
      "end(delay(+5 /60) | count 2)",
      "end(afterSynchronizedProcessingTime | count 1)",
    ],
    [repeatedly(count), "repeat(count 2)", "repeat(count 1)"],
    [afterEach(count, never()), "each(count 2, never)", "repeat(first(count 1, never))"],
    [
      afterFirst(count, delay),
      "first(count 2, delay(+5 /60))",
      "first(count 1, afterSynchronizedProcessingTime)",
    ],
    [afterAll(count, count), "all(count 2, count 2)", "all(count 1, count 1)"],
    [
      orFinally(repeatedly(count), afterWatermark()),
      "repeat(count 2) until end( | )",
      "repeat(count 1) until end( | )",
    ],
  ];
  for (const [trigger, expected, continued] of table) {
    it(`triggers build "${expected}" and continue it behind a grouping as "${continued}"`, () => {
      const wire = runnerApi.Trigger.fromBinary(runnerApi.Trigger.toBinary(trigger));
      expect(text(wire)).to.equal(expected);
      expect(text(continuationOf(trigger))).to.equal(continued);
    });
  }

  it("triggers refuse counts below one and sets of none", () => {
    expect(() => afterCount(0)).to.throw("count of afterCount must be at least 1, got 0");
    expect(() => afterFirst()).to.throw("afterFirst must be given at least one trigger");
  });
});

describe("groupByKey", () => {
  it("groupByKey() gives keys and iterables of values the input's coders", () => {
    const { pipeline, input } = startGraph();
    const keyed = P(input).apply(
      withName("Keyed", (_input: typeof input) => createOutput(pipeline, true, kvCoderId(pipeline))),
    );
    const grouped = P(keyed).apply(withName("Group", groupByKey() as never)) as typeof keyed;
    expect(coderText(pipeline, collectionOf(pipeline, grouped).coderId)).to.equal(
      "kv<genericobjectjs, iterable<genericobjectjs>>",
    );
  });

  it("groupByKey() says that windows are merged, and continues the trigger", () => {
    const { pipeline, output } = strategyWith(sessions(10), {
      trigger: repeatedly(afterCount(5)),
      accumulation: "discarding",
    });
    const grouped = P(output as never).apply(withName("Group", groupByKey<string, number>()));
    const { mergeStatus, trigger, windowFn } = strategyOf(pipeline, grouped as never);
    expect(mergeStatus).to.equal(MergeStatus_Enum.ALREADY_MERGED);
    expect(text(trigger!)).to.equal("repeat(count 1)");
    expect(windowFn).to.deep.equal(sessions(10).toProto());
  });

  it("groupByKey() leaves fixed windows with the default trigger as they are", () => {
    const { pipeline, output } = strategyWith(fixedWindows(10));
    const grouped = P(output as never).apply(withName("Group", groupByKey<string, number>()));
    type Pc = Parameters<typeof collectionOf>[1];
    expect(collectionOf(pipeline, grouped as Pc).windowingStrategyId).to.equal(
      collectionOf(pipeline, output as Pc).windowingStrategyId,
    );
  });
});
