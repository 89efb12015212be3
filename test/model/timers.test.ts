/** Scenarios of event-time timers: when they fire, where, and with which time. */
import type { ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { IntervalWindow, KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectPanes, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, elementsAt, kv, streamed } from "./support/sources.js";
import { order, runTimers, say, script, setEvent, timers } from "./support/timer-script.js";

scenariosOf("timers", (it) => {
  it("an event-time timer of bounded input fires with its own timestamp", ["event-time timers"], async () => {
    const run = await runTimers((root) => elements(root, [kv("a", [say("element"), setEvent(100)])]));
    expectPanes(run, "out", [
      { value: kv("a", "element"), timestampMs: MIN_TIMESTAMP_MS },
      { value: kv("a", "event"), timestampMs: 100 },
    ]);
  });

  it(
    "an event-time timer fires once the watermark has passed it, not when it gets there",
    ["event-time timers", "TestStream"],
    async () => {
      const run = await runTimers((root) =>
        streamed(
          root,
          script()
            .addElements(order(0, say("element"), setEvent(10)))
            .advanceWatermarkTo(10)
            .addElements(order(10, say("at 10")))
            .advanceWatermarkTo(11)
            .addElements(order(11, say("at 11")))
            .advanceWatermarkToInfinity(),
        ),
      );
      expectPanes(run, "out", [
        { value: kv("a", "element"), timestampMs: 0 },
        { value: kv("a", "at 10"), timestampMs: 10 },
        { value: kv("a", "event"), timestampMs: 10 },
        { value: kv("a", "at 11"), timestampMs: 11 },
      ]);
    },
  );

  it("every key has timers of its own", ["event-time timers"], async () => {
    const run = await runTimers((root) =>
      elements(root, [kv("a", [setEvent(1)]), kv("b", [setEvent(2)]), kv("c", [say("no timer")])]),
    );
    expectElements(run, "out", [
      { value: kv("a", "event"), timestampMs: 1 },
      { value: kv("b", "event"), timestampMs: 2 },
      { value: kv("c", "no timer"), timestampMs: MIN_TIMESTAMP_MS },
    ]);
  });

  it("a relative event-time timer counts from the element's time", ["event-time timers"], async () => {
    const run = await runTimers((root) =>
      elementsAt(root, [[kv("a", [{ say: "", family: "event" as const, after: 7 }]), 100]]),
    );
    expectPanes(run, "out", [{ value: kv("a", "event"), timestampMs: 107 }]);
  });

  it("a timer fires in the window it was set in", ["event-time timers", "sliding windows"], async () => {
    const run = await runModel((root) => {
      const end = eventTimeTimer();
      elementsAt(root, [
        [kv("a", 1), 7],
        [kv("a", 2), 12],
      ])
        .apply(into("Window", slidingWindows({ sizeMs: 10, periodMs: 5 })))
        .apply(
          parDo("End", () => ({
            end,
            process: (_element: KV<string, number>, context: ProcessContext) =>
              context.timer(end).set(context.window.maxTimestampMs),
            onTimer: ({ fireAtMs }: FiredTimer, context: ElementContext) =>
              context.output([fireAtMs, (context.window as IntervalWindow).startMs]),
          })),
        )
        .apply(collect("out"));
    });
    expectElements(run, "out", [
      { value: [9, 0], window: "0/10", timestampMs: 9 },
      { value: [14, 5], window: "5/15", timestampMs: 14 },
      { value: [19, 10], window: "10/20", timestampMs: 19 },
    ]);
  });

  it(
    "a timer set for a time that has passed fires at once",
    ["event-time timers", "TestStream"],
    async () => {
      const run = await runTimers((root) =>
        streamed(
          root,
          script()
            .advanceWatermarkTo(20)
            .addElements(order(2, say("late"), setEvent(5)))
            .addElements(order(21, say("next")))
            .advanceWatermarkToInfinity(),
        ),
      );
      expectPanes(run, "out", [
        { value: kv("a", "late"), timestampMs: 2 },
        { value: kv("a", "event"), timestampMs: 5 },
        { value: kv("a", "next"), timestampMs: 21 },
      ]);
    },
  );

  it(
    "an event-time timer may be set behind the window's end, as far as late elements are allowed",
    ["event-time timers", "allowed lateness", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(5, setEvent(15)))
            .advanceWatermarkTo(15)
            .addElements(order(15, say("at 15")))
            .advanceWatermarkTo(16)
            .addElements(order(16, say("at 16")))
            .advanceWatermarkToInfinity(),
        )
          .apply(into("Window", fixedWindows(10), { allowedLatenessMs: 10 }))
          .apply(timers())
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", "at 15"), window: "10/20" },
        { value: kv("a", "event"), window: "0/10" },
        { value: kv("a", "at 16"), window: "10/20" },
      ]);
    },
  );
});
