/** Scenarios of order: elements of a key stay in the order of their emission, or come in that of their times. */
import { withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { reshuffle } from "../../transforms/primitives/reshuffle.js";
import { bagState, valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectInOrder, expectOutputs, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, elementsAt, kv, streamed } from "./support/sources.js";

type Pair = KV<string, number>;

/** In no order of their own, and beyond 32 bits. */
const VALUES = [4, -8, 178_907_878_346, 0, 7, -3, 2, 123_456_789, -1, 8, -178_907_878_346, 1];
const KEYS = ["k1", "k2", "k3", "k4", "k5"];

/** Emits `{ key, value: true }` once a key's elements were exactly VALUES, in this order; false at the first other one. */
class VerifyFn implements DoFn<Pair> {
  readonly matched = valueState<number>();

  process({ key, value }: Pair, context: ProcessContext): void {
    const state = context.state(this.matched);
    const matched = state.read() ?? 0;
    if (matched === -1) return;
    if (VALUES[matched] !== value) {
      state.write(-1);
      context.output(kv(key, false));
      return;
    }
    state.write(matched + 1);
    if (matched + 1 === VALUES.length) context.output(kv(key, true));
  }
}

const verify = () => parDo<Pair, unknown>("Verify", () => new VerifyFn());

/** All VALUES for a key in one call. */
const generate = () =>
  parDo<string, Pair>("Generate", () => ({
    process: (key) => VALUES.map((value) => kv(key, value)),
  }));

/** One of VALUES a call, the next one each time. */
class NextValueFn implements DoFn<KV<string, unknown>> {
  readonly next = valueState<number>();

  process({ key }: KV<string, unknown>, context: ProcessContext): void {
    const next = context.state(this.next).read() ?? 0;
    context.state(this.next).write(next + 1);
    if (next < VALUES.length) context.output(kv(key, VALUES[next]!));
  }
}

const nextValues = () => parDo<KV<string, unknown>, Pair>("Next values", () => new NextValueFn());

/** As many elements of every key as there are values, one each second. */
function periodic() {
  let script = testStream<Pair>();
  for (let second = 0; second < VALUES.length; second++) {
    script = script.addElements(...KEYS.map((key) => at(second * 1_000, kv(key, second))));
    script = script.advanceWatermarkTo((second + 1) * 1_000);
  }
  return script.advanceWatermarkToInfinity();
}

const ALL_IN_ORDER = KEYS.map((key) => kv(key, true));

/** Takes its elements in the order of their times, and emits what it has got so far. */
class SortedFn implements DoFn<Pair> {
  readonly requiresTimeSortedInput = true;
  readonly values = bagState<number>();

  process({ key, value }: Pair, context: ProcessContext): void {
    const values = context.state(this.values);
    values.add(value);
    context.output(kv(key, [...values.read()]));
  }
}

const sorted = () => parDo<Pair, unknown>("Sorted", () => new SortedFn());

scenariosOf("order", (it) => {
  it("what one call emits stays in order through a reshuffle", ["per-key order", "Reshuffle"], async () => {
    const run = await runModel((root) =>
      elements(root, KEYS)
        .apply(generate())
        .apply(withName("Reshuffle", reshuffle<Pair>()))
        .apply(verify())
        .apply(collect("out")),
    );
    expectOutputs(run, "out", ALL_IN_ORDER);
  });

  it("what one call emits stays in order without one", ["per-key order"], async () => {
    const run = await runModel((root) =>
      elements(root, KEYS).apply(generate()).apply(verify()).apply(collect("out")),
    );
    expectOutputs(run, "out", ALL_IN_ORDER);
  });

  it(
    "what many calls of a stateful step emit stays in order through a reshuffle",
    ["per-key order", "Reshuffle", "value state", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(root, periodic())
          .apply(nextValues())
          .apply(withName("Reshuffle", reshuffle<Pair>()))
          .apply(verify())
          .apply(collect("out")),
      );
      expectOutputs(run, "out", ALL_IN_ORDER);
    },
  );

  it(
    "what many calls of a stateful step emit stays in order without one",
    ["per-key order", "value state", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(root, periodic()).apply(nextValues()).apply(verify()).apply(collect("out")),
      );
      expectOutputs(run, "out", ALL_IN_ORDER);
    },
  );

  it("time-sorted input comes in the order of event times", ["time-sorted input"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        [kv("a", 3), 30],
        [kv("b", 9), 5],
        [kv("a", 1), 10],
        [kv("a", 2), 20],
      ])
        .apply(sorted())
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", [1]), timestampMs: 10 },
      { value: kv("a", [1, 2]), timestampMs: 20 },
      { value: kv("a", [1, 2, 3]), timestampMs: 30 },
      { value: kv("b", [9]), timestampMs: 5 },
    ]);
  });

  it("time-sorted input waits for the watermark", ["time-sorted input", "TestStream"], async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        testStream<Pair>()
          .addElements(at(30, kv("a", 3)), at(10, kv("a", 1)))
          .advanceWatermarkTo(15)
          .addElements(at(20, kv("a", 2)))
          .advanceWatermarkTo(25)
          .addElements(at(28, kv("a", 28)))
          .advanceWatermarkToInfinity(),
      )
        .apply(sorted())
        .apply(collect("out")),
    );
    expectInOrder(run, "out", [kv("a", [1]), kv("a", [1, 2]), kv("a", [1, 2, 28]), kv("a", [1, 2, 28, 3])]);
  });

  it(
    "late elements within the allowed lateness come unsorted, others not at all",
    ["time-sorted input", "allowed lateness", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<Pair>()
            .addElements(at(5, kv("a", 5)), at(3, kv("a", 3)))
            .advanceWatermarkTo(15)
            .addElements(at(4, kv("a", 4)))
            .advanceWatermarkTo(50)
            .addElements(at(6, kv("a", 6)))
            .advanceWatermarkToInfinity(),
        )
          .apply(into<Pair>("Window", fixedWindows(10), { allowedLatenessMs: 10 }))
          .apply(sorted())
          .apply(collect("out")),
      );
      expectInOrder(run, "out", [kv("a", [3]), kv("a", [3, 5]), kv("a", [3, 5, 4])]);
    },
  );

  it("of two time-sorted steps the second is sorted too", ["time-sorted input", "TestStream"], async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        testStream<Pair>()
          .addElements(at(3, kv("a", 3)), at(1, kv("a", 1)), at(2, kv("a", 2)))
          .advanceWatermarkToInfinity(),
      )
        .apply(
          parDo<Pair, Pair>("First sorted", () => ({
            requiresTimeSortedInput: true,
            unused: valueState<number>(),
            process: (element: Pair) => [element],
          })),
        )
        .apply(sorted())
        .apply(collect("out")),
    );
    expectInOrder(run, "out", [kv("a", [1]), kv("a", [1, 2]), kv("a", [1, 2, 3])]);
  });

  it(
    "timers of a time-sorted step fire between the elements they lie between",
    ["time-sorted input", "event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) => {
        const timer = eventTimeTimer();
        streamed(
          root,
          testStream<Pair>()
            .addElements(at(30, kv("a", 30)), at(10, kv("a", 10)))
            .advanceWatermarkTo(25)
            .advanceWatermarkToInfinity(),
        )
          .apply(
            parDo("Sorted", () => ({
              requiresTimeSortedInput: true,
              timer,
              process({ value }: Pair, context: ProcessContext) {
                context.output(`element ${value}`);
                if (value === 10) context.timer(timer).set(20);
              },
              onTimer: ({ fireAtMs }: FiredTimer, context: ElementContext) =>
                context.output(`timer ${fireAtMs}`),
            })),
          )
          .apply(collect("out"));
      });
      expectInOrder(run, "out", ["element 10", "timer 20", "element 30"]);
    },
  );
});
