/** Scenarios of a timer's output timestamp: what it may be, what it gives its outputs, and what it holds back. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type { ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import {
  collect,
  expectInOrder,
  expectPanes,
  type ModelRun,
  runModel,
  runToFailure,
} from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elementsAt, kv, streamed } from "./support/sources.js";
import {
  clear,
  order,
  SILENT,
  say,
  script,
  setEvent,
  setOtherEvent,
  setProcessing,
  type TimerOrder,
  timers,
} from "./support/timer-script.js";

/** The script's orders, and their outputs grouped in windows of 10 ms. */
function runGrouped(events: ReturnType<typeof script>): Promise<ModelRun> {
  return runModel((root) => {
    const said = streamed(root, events).apply(timers());
    said.apply(collect("said"));
    said
      .apply(into("Window", fixedWindows(10)))
      .apply(withName("Group", groupByKey<string, string>()))
      .apply(collect("panes"));
  });
}

/** One bounded element at 10 in the window [10, 20) that does what it is ordered. */
function runInWindow(orders: readonly TimerOrder[]): Promise<ModelRun> {
  return runModel(windowedOrders(orders));
}

const windowedOrders = (orders: readonly TimerOrder[]) => (root: Parameters<typeof elementsAt>[0]) =>
  elementsAt(root, [[kv("a", orders), 12]])
    .apply(into("Window", fixedWindows(10)))
    .apply(timers())
    .apply(collect("out"));

scenariosOf("timers", (it) => {
  it(
    "what a timer emits has its output timestamp",
    ["timer output timestamp", "event-time timers"],
    async () => {
      const run = await runInWindow([setEvent(18, { outputAt: 14 }), setOtherEvent(17, { outputAt: 12 })]);
      expectPanes(run, "out", [
        { value: kv("a", "otherEvent"), timestampMs: 12, window: "10/20" },
        { value: kv("a", "event"), timestampMs: 14, window: "10/20" },
      ]);
    },
  );

  it(
    "without one, a processing-time timer has the time of the element that set it",
    ["timer output timestamp", "processing-time timers"],
    async () => {
      const run = await runInWindow([setProcessing(1)]);
      expectPanes(run, "out", [{ value: kv("a", "processing"), timestampMs: 12, window: "10/20" }]);
    },
  );

  it(
    "a processing-time timer may have an output timestamp of its own",
    ["timer output timestamp", "processing-time timers"],
    async () => {
      const run = await runInWindow([setProcessing(1, { outputAt: 15 })]);
      expectPanes(run, "out", [{ value: kv("a", "processing"), timestampMs: 15, window: "10/20" }]);
    },
  );

  it(
    "a timer set by a timer may keep the first one's output timestamp",
    ["timer output timestamp", "looping timers"],
    async () => {
      const run = await runModel((root) => {
        const timer = eventTimeTimer();
        elementsAt(root, [[kv("a", 0), 3]])
          .apply(
            parDo("Chain", () => ({
              timer,
              process: (_element: KV<string, number>, context: ProcessContext) =>
                context.timer(timer).set(5, { outputTimestampMs: 3 }),
              onTimer({ fireAtMs }: FiredTimer, context: ElementContext) {
                context.output(fireAtMs);
                if (fireAtMs >= 7) return;
                context.timer(timer).set(fireAtMs + 1, { outputTimestampMs: context.timestampMs });
              },
            })),
          )
          .apply(collect("out"));
      });
      expectPanes(
        run,
        "out",
        [5, 6, 7].map((value) => ({ value, timestampMs: 3 })),
      );
    },
  );

  it(
    "the output timestamp of an event-time timer holds the watermark",
    ["timer output timestamp", "event-time timers", "TestStream"],
    async () => {
      const run = await runGrouped(
        script()
          .addElements(order(4, say("element"), setEvent(100, { outputAt: 5 })))
          .advanceWatermarkTo(50)
          .addElements(order(50, say("at 50")))
          .advanceWatermarkTo(101)
          .addElements(order(101, say("at 101")))
          .advanceWatermarkToInfinity(),
      );
      expectPanes(run, "panes", [
        { value: kv("a", ["element", "event"]), window: "0/10", timing: "ON_TIME" },
        { value: kv("a", ["at 50"]), window: "50/60", timing: "ON_TIME" },
        { value: kv("a", ["at 101"]), window: "100/110", timing: "ON_TIME" },
      ]);
    },
  );

  it(
    "the output timestamp of a processing-time timer holds the watermark",
    ["timer output timestamp", "processing-time timers", "TestStream"],
    async () => {
      const run = await runGrouped(
        script()
          .addElements(order(4, say("element"), setProcessing(1_000)))
          .advanceWatermarkTo(50)
          .addElements(order(50, say("at 50")))
          .advanceProcessingTime(1_000)
          .advanceWatermarkToInfinity(),
      );
      expectPanes(run, "panes", [
        { value: kv("a", ["element", "processing"]), window: "0/10", timing: "ON_TIME" },
        { value: kv("a", ["at 50"]), window: "50/60", timing: "ON_TIME" },
      ]);
    },
  );

  for (const [domain, set] of [
    ["event", () => setEvent(100, { tag: SILENT, outputAt: "none" })],
    ["processing", () => setProcessing(1_000, { tag: SILENT, outputAt: "none" })],
  ] as const) {
    it(
      `${domain === "event" ? "an" : "a"} ${domain}-time timer without an output timestamp does not hold the watermark`,
      ["timer output timestamp", `${domain}-time timers`, "TestStream"],
      async () => {
        const run = await runGrouped(
          script()
            .addElements(order(4, say("element"), set()))
            .advanceWatermarkTo(50)
            .addElements(order(50, say("at 50")))
            .advanceWatermarkTo(101)
            .addElements(order(101, say("at 101")))
            .advanceProcessingTime(1_000)
            .advanceWatermarkToInfinity(),
        );
        const pane = (timestampMs: number, text: string) => ({ value: kv("a", [text]), timestampMs });
        expectPanes(run, "panes", [pane(9, "element"), pane(59, "at 50"), pane(109, "at 101")]);
      },
    );
  }

  it(
    "what a timer without an output timestamp emits is an error",
    ["timer output timestamp", "event-time timers", "faults"],
    async () => {
      await runToFailure(
        windowedOrders([setEvent(18, { outputAt: "none" })]),
        /timer "event" must not emit: it was set without an output timestamp/,
      );
    },
  );

  it(
    "a timer without an output timestamp changes state when it fires",
    ["timer output timestamp", "event-time timers", "value state", "TestStream"],
    async () => {
      const run = await runModel((root) => {
        const seen = valueState<number>();
        const forget = eventTimeTimer();
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(1, kv("a", 1)), at(2, kv("a", 2)))
            .advanceWatermarkTo(12)
            .addElements(at(12, kv("a", 3)))
            .advanceWatermarkToInfinity(),
        )
          .apply(
            parDo("Last since", () => ({
              seen,
              forget,
              process({ value }: KV<string, number>, context: ProcessContext) {
                context.output(`${value} after ${context.state(seen).read() ?? "nothing"}`);
                context.state(seen).write(value);
                context.timer(forget).set(11, { outputTimestampMs: "none" });
              },
              onTimer: (_: FiredTimer, context: ElementContext) => context.state(seen).clear(),
            })),
          )
          .apply(collect("out"));
      });
      expectInOrder(run, "out", ["1 after nothing", "2 after 1", "3 after nothing"]);
    },
  );

  it(
    "clearing a timer lets the watermark go on",
    ["timer output timestamp", "event-time timers", "TestStream"],
    async () => {
      const log: string[] = [];
      await runModel((root) => {
        const said = streamed(
          root,
          script()
            .addElements(order(4, say("element"), setEvent(100, { outputAt: 4 })))
            .advanceWatermarkTo(50)
            .addElements(order(51, say("held")))
            .addElements(order(52, clear("event")))
            .addElements(order(53, say("free")))
            .advanceWatermarkToInfinity(),
        ).apply(timers());
        said.apply(mapping<KV<string, string>, unknown>("Log said", ({ value }) => log.push(value)));
        said
          .apply(into("Window", fixedWindows(10)))
          .apply(withName("Group", groupByKey<string, string>()))
          .apply(
            mapping<KV<string, Iterable<string>>, unknown>("Log panes", ({ value }) =>
              log.push(`pane ${[...value].join(" ")}`),
            ),
          );
      });
      expect(log).to.deep.equal(["element", "held", "pane element", "free", "pane held free"]);
    },
  );

  it(
    "setting a timer again moves its hold",
    ["timer output timestamp", "event-time timers", "TestStream"],
    async () => {
      const run = await runGrouped(
        script()
          .addElements(order(4, say("element"), setEvent(100, { outputAt: 4 })))
          .advanceWatermarkTo(20)
          .addElements(order(21, setEvent(100, { outputAt: 25 })))
          .advanceWatermarkTo(50)
          .addElements(order(50, say("at 50")))
          .advanceWatermarkToInfinity(),
      );
      expectPanes(run, "panes", [
        { value: kv("a", ["element"]), window: "0/10", timing: "ON_TIME" },
        { value: kv("a", ["event"]), window: "20/30", timing: "ON_TIME" },
        { value: kv("a", ["at 50"]), window: "50/60", timing: "ON_TIME" },
      ]);
    },
  );

  it(
    "an event-time timer behind its window's end and lateness is an error",
    ["event-time timers", "faults"],
    async () => {
      await runToFailure(windowedOrders([setEvent(20)]), /20/);
    },
  );

  it("an event-time timer at the very end of its window is none", ["event-time timers"], async () => {
    const run = await runInWindow([setEvent(19)]);
    expectPanes(run, "out", [{ value: kv("a", "event"), timestampMs: 19, window: "10/20" }]);
  });

  it(
    "an output timestamp before the element's is an error",
    ["timer output timestamp", "faults"],
    async () => {
      await runToFailure(windowedOrders([setEvent(18, { outputAt: 11 })]), /11/);
      await runToFailure(windowedOrders([setProcessing(1, { outputAt: 11 })]), /11/);
    },
  );

  it(
    "an output timestamp behind an event-time timer's firing time is an error",
    ["timer output timestamp", "faults"],
    async () => {
      await runToFailure(windowedOrders([setEvent(15, { outputAt: 16 })]), /16/);
    },
  );
});
