/** Scenarios of timers together with state, tagged outputs and GroupByKey. */
import { withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { bagState, valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { localParDo, parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectPanes, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elementsAt, kv, streamed } from "./support/sources.js";

/** Keeps values and emits all of them, sorted, when its timer fires `afterMs` after the first one. */
class BufferFn implements DoFn<KV<string, number>> {
  readonly buffer = bagState<number>();
  readonly flush = eventTimeTimer();
  readonly afterMs: number;

  constructor(afterMs: number) {
    this.afterMs = afterMs;
  }

  process({ value }: KV<string, number>, context: ProcessContext): void {
    const buffer = context.state(this.buffer);
    if (buffer.isEmpty()) context.timer(this.flush).setRelative(this.afterMs);
    buffer.add(value);
  }

  onTimer(_timer: FiredTimer, context: ElementContext): void {
    const buffer = context.state(this.buffer);
    context.output(
      kv(
        context.key,
        [...buffer.read()].sort((a, b) => a - b),
      ),
    );
    buffer.clear();
  }
}

scenariosOf("timers", (it) => {
  it(
    "a timer's callback reads and clears the state of its key",
    ["event-time timers", "bag state"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [
          [kv("a", 3), 1],
          [kv("b", 9), 2],
          [kv("a", 1), 2],
          [kv("a", 2), 14],
        ])
          .apply(into("Window", fixedWindows(10)))
          .apply(parDo("Buffer", () => new BufferFn(5)))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: kv("a", [1, 3]), timestampMs: 6, window: "0/10" },
        { value: kv("b", [9]), timestampMs: 7, window: "0/10" },
        { value: kv("a", [2]), timestampMs: 19, window: "10/20" },
      ]);
    },
  );

  it(
    "elements that come after a timer has fired begin a new buffer",
    ["event-time timers", "bag state", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(1, kv("a", 1)), at(2, kv("a", 2)))
            .advanceWatermarkTo(12)
            .addElements(at(13, kv("a", 3)))
            .advanceWatermarkToInfinity(),
        )
          .apply(parDo("Buffer", () => new BufferFn(10)))
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", [1, 2]), timestampMs: 11 },
        { value: kv("a", [3]), timestampMs: 23 },
      ]);
    },
  );

  it("a timer's callback may emit to tagged outputs", ["event-time timers", "ParDo"], async () => {
    const run = await runModel((root) => {
      const timer = eventTimeTimer();
      const { main, fired } = elementsAt(root, [[kv("a", 1), 5]]).apply(
        withName(
          "Tagged",
          localParDo<KV<string, number>, { main: string; fired: string }>(
            () => ({
              timer,
              process(_element: KV<string, number>, context: ProcessContext) {
                context.timer(timer).set(8);
                context.output("element");
              },
              onTimer: (_timer: FiredTimer, context: ElementContext) => context.outputTo("fired", "timer"),
            }),
            { outputs: ["main", "fired"] },
          ),
        ),
      );
      main.apply(collect("main"));
      fired.apply(collect("fired"));
    });
    expectPanes(run, "main", [{ value: "element", timestampMs: 5 }]);
    expectPanes(run, "fired", [{ value: "timer", timestampMs: 8 }]);
  });

  it(
    "a timer behind a GroupByKey fires for the groups, and none of them counts as late",
    ["event-time timers", "GroupByKey", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const timer = eventTimeTimer();
        const size = valueState<number>();
        elementsAt(root, [
          [kv("a", 1), 1],
          [kv("a", 2), 2],
          [kv("b", 3), 3],
          [kv("a", 4), 14],
        ])
          .apply(into("Window", fixedWindows(10)))
          .apply(withName("Group", groupByKey<string, number>()))
          .apply(
            parDo("Timer", () => ({
              timer,
              size,
              process({ value }: KV<string, Iterable<number>>, context: ProcessContext) {
                context.state(size).write([...value].length);
                context.timer(timer).set(context.timestampMs);
              },
              onTimer: (_timer: FiredTimer, context: ElementContext) =>
                context.output(kv(context.key, context.state(size).read())),
            })),
          )
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: kv("a", 2), timestampMs: 9, window: "0/10" },
        { value: kv("b", 1), timestampMs: 9, window: "0/10" },
        { value: kv("a", 1), timestampMs: 19, window: "10/20" },
      ]);
    },
  );
});
