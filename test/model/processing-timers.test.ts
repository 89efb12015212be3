/**
 * Scenarios of processing-time timers: the clock decides, and at the end nobody waits for it. The watermark moves behind
 * each element, without which Prism leaves the elements of a stateful step where they are, and the clock in leaps of
 * seconds, as real time passes between a runner and its worker.
 */
import type { ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { type FiredTimer, processingTimeTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectInOrder, expectOutputs, expectPanes, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, kv, streamed } from "./support/sources.js";
import { clear, order, runTimers, say, script, setProcessing } from "./support/timer-script.js";

scenariosOf("timers", (it) => {
  it(
    "processing-time timers of a family fire by tag",
    ["timer families", "processing-time timers", "TestStream"],
    async () => {
      const run = await runTimers((root) =>
        streamed(
          root,
          script()
            .addElements(order(3, setProcessing(50_000, { tag: "x" }), setProcessing(20_000, { tag: "y" })))
            .advanceWatermarkTo(4)
            .advanceProcessingTime(30_000)
            .addElements(order(4, say("between")))
            .advanceWatermarkTo(5)
            .advanceProcessingTime(30_000)
            .advanceWatermarkToInfinity(),
        ),
      );
      expectPanes(run, "out", [
        { value: kv("a", "processing y"), timestampMs: 3 },
        { value: kv("a", "between"), timestampMs: 4 },
        { value: kv("a", "processing x"), timestampMs: 3 },
      ]);
    },
  );

  it(
    "a processing-time timer fires by the clock, and the watermark does not matter",
    ["processing-time timers", "TestStream"],
    async () => {
      const run = await runTimers((root) =>
        streamed(
          root,
          script()
            .addElements(order(3, setProcessing(100_000)))
            .advanceWatermarkTo(1_000_000)
            .advanceProcessingTime(90_000)
            .addElements(order(1_000_000, say("before")))
            .advanceWatermarkTo(1_000_001)
            .advanceProcessingTime(10_000)
            .addElements(order(1_000_001, say("after")))
            .advanceWatermarkToInfinity(),
        ),
      );
      expectInOrder(
        run,
        "out",
        ["before", "processing", "after"].map((value) => kv("a", value)),
      );
    },
  );

  it(
    "of a processing-time timer that is set again only the last setting fires",
    ["processing-time timers", "TestStream"],
    async () => {
      const run = await runTimers((root) =>
        streamed(
          root,
          script()
            .addElements(order(1, setProcessing(10_000)))
            .advanceWatermarkTo(2)
            .advanceProcessingTime(5_000)
            .addElements(order(2, setProcessing(10_000)))
            .advanceWatermarkTo(3)
            .advanceProcessingTime(6_000)
            .addElements(order(3, say("11 s after the first")))
            .advanceWatermarkTo(4)
            .advanceProcessingTime(10_000)
            .addElements(order(4, say("16 s after the second")))
            .advanceWatermarkToInfinity(),
        ),
      );
      expectInOrder(
        run,
        "out",
        ["11 s after the first", "processing", "16 s after the second"].map((value) => kv("a", value)),
      );
    },
  );

  it("a cleared processing-time timer does not fire", ["processing-time timers", "TestStream"], async () => {
    const run = await runTimers((root) =>
      streamed(
        root,
        script()
          .addElements(order(1, setProcessing(10), setProcessing(10, { tag: "kept" })))
          .advanceProcessingTime(5)
          .addElements(order(2, clear("processing")))
          .advanceProcessingTime(100)
          .advanceWatermarkToInfinity(),
      ),
    );
    expectOutputs(run, "out", [kv("a", "processing kept")]);
  });

  it(
    "processing-time timers that are pending at the end fire in order, without waiting for the clock",
    ["processing-time timers", "drain"],
    async () => {
      const hour = 3_600_000;
      const run = await runTimers((root) =>
        elements(root, [
          kv("a", [setProcessing(2 * hour, { tag: "later" }), setProcessing(hour, { tag: "sooner" })]),
        ]),
      );
      expectInOrder(run, "out", [kv("a", "processing sooner"), kv("a", "processing later")]);
    },
  );

  it(
    "a timer of a bounded input may wait for the clock and for the end",
    ["processing-time timers"],
    async () => {
      const run = await runModel((root) => {
        const wait = processingTimeTimer();
        elements(root, [kv("a", 1)])
          .apply(
            parDo("Wait", () => ({
              wait,
              process: (_element: KV<string, number>, context: ProcessContext) =>
                context.timer(wait).setRelative(0),
              onTimer: (_timer: FiredTimer, context: ElementContext) => context.output(context.key),
            })),
          )
          .apply(collect("out"));
      });
      expectOutputs(run, "out", ["a"]);
    },
  );
});
