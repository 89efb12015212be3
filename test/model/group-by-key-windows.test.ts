/** Scenarios of GroupByKey in windows: when and where a group is emitted. */
import { withName } from "../../transforms/primitives/beam.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterProcessingTime, repeatedly } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import {
  fixedWindows,
  globalWindows,
  sessions,
  slidingWindows,
} from "../../transforms/primitives/window-fns.js";
import { sum } from "./support/combine-fns.js";
import { grouped, keyed } from "./support/grouping.js";
import { into } from "./support/into.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectElements, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { at, kv, timed } from "./support/sources.js";

const CATEGORY = "GroupByKey";
const INT_MAX = 2147483647;
const INT_MIN = -2147483648;

/** A few elements of two keys, in time. */
const FOO_BAR: readonly (readonly [number, KV<string, number>])[] = [
  [1, kv("foo", 1)],
  [4, kv("foo", 4)],
  [3, kv("bar", 3)],
];

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "groups within each fixed window", ["GroupByKey", "fixed windows"], async () => {
    const run = await runModel((root) =>
      grouped(
        root
          .apply(
            timed("Pairs", [
              [1, kv("k1", 3)],
              [2, kv("k5", INT_MAX)],
              [3, kv("k5", INT_MIN)],
              [4, kv("k2", 66)],
              [5, kv("k1", 4)],
              [6, kv("k2", -33)],
              [7, kv("k3", 0)],
            ]),
          )
          .apply(into("Window", fixedWindows(5))),
      ).apply(collect("groups")),
    );
    expectElements(run, "groups", [
      { value: kv("k1", [3]), window: "0/5", timestampMs: 4 },
      { value: kv("k5", [INT_MIN, INT_MAX]), window: "0/5", timestampMs: 4 },
      { value: kv("k2", [66]), window: "0/5", timestampMs: 4 },
      { value: kv("k1", [4]), window: "5/10", timestampMs: 9 },
      { value: kv("k2", [-33]), window: "5/10", timestampMs: 9 },
      { value: kv("k3", [0]), window: "5/10", timestampMs: 9 },
    ]);
  });

  scenario(
    CATEGORY,
    "groups an element in each of its windows",
    ["GroupByKey", "sliding windows"],
    async () => {
      const run = await runModel((root) =>
        grouped(
          root
            .apply(timed("Pairs", FOO_BAR))
            .apply(into("Window", slidingWindows({ sizeMs: 5, periodMs: 3 }))),
        ).apply(collect("groups")),
      );
      expectElements(run, "groups", [
        { value: kv("foo", [1]), window: "-3/2" },
        { value: kv("foo", [1, 4]), window: "0/5" },
        { value: kv("bar", [3]), window: "0/5" },
        { value: kv("foo", [4]), window: "3/8" },
        { value: kv("bar", [3]), window: "3/8" },
      ]);
    },
  );

  scenario(CATEGORY, "merges windows for each key by itself", ["GroupByKey", "session windows"], async () => {
    const run = await runModel((root) =>
      grouped(
        root.apply(timed("Pairs", [...FOO_BAR, [9, kv("foo", 9)]])).apply(into("Window", sessions(4))),
      ).apply(collect("groups")),
    );
    expectElements(run, "groups", [
      { value: kv("foo", [1, 4]), window: "1/8" },
      { value: kv("foo", [9]), window: "9/13" },
      { value: kv("bar", [3]), window: "3/7" },
    ]);
  });

  scenario(
    CATEGORY,
    "merges windows once: a second grouping leaves sessions that overlap apart",
    ["GroupByKey", "session windows"],
    async () => {
      const run = await runModel((root) =>
        grouped(
          root.apply(timed("Pairs", [...FOO_BAR, [9, kv("foo", 9)]])).apply(into("Window", sessions(4))),
          "First",
        )
          .apply(parDo<KV<string, number[]>, number>("Values", () => ({ process: ({ value }) => value })))
          .apply(keyed("all"))
          .apply(sum("Second"))
          .apply(collect("sums")),
      );
      expectElements(run, "sums", [
        { value: kv("all", 5), window: "1/8" },
        { value: kv("all", 9), window: "9/13" },
        { value: kv("all", 3), window: "3/7" },
      ]);
    },
  );

  for (const [timestampCombiner, timestampMs] of [
    ["earliest", 1],
    ["latest", 7],
    ["end-of-window", 9],
  ] as const) {
    scenario(
      CATEGORY,
      `gives a pane the ${timestampCombiner} time where the strategy says so`,
      ["GroupByKey", "timestamp combiner"],
      async () => {
        const run = await runModel((root) =>
          grouped(
            root
              .apply(
                timed("Pairs", [
                  [3, kv("a", "x")],
                  [7, kv("a", "y")],
                  [1, kv("a", "z")],
                ]),
              )
              .apply(into("Window", fixedWindows(10), { timestampCombiner })),
          ).apply(collect("groups")),
        );
        expectElements(run, "groups", [{ value: kv("a", ["x", "y", "z"]), timestampMs }]);
      },
    );
  }

  scenario(
    CATEGORY,
    "hands its pane's time to the next window function",
    ["GroupByKey", "timestamp combiner", "fixed windows"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(timed("Pairs", [...FOO_BAR, [9, kv("foo", 9)]]))
          .apply(into("Latest", globalWindows(), { timestampCombiner: "latest" }))
          .apply(sum())
          .apply(into("Window", fixedWindows(1)))
          .apply(collect("sums")),
      );
      expectElements(run, "sums", [
        { value: kv("foo", 14), window: "9/10", timestampMs: 9 },
        { value: kv("bar", 3), window: "3/4", timestampMs: 3 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "emits a window once when its processing-time trigger comes due after it expired",
    ["GroupByKey", "processing-time trigger", "accumulating panes", "TestStream"],
    async () => {
      const stream = testStream<number>()
        .advanceWatermarkTo(0)
        .addElements(at(2, 2), at(5, 5))
        .advanceWatermarkTo(100)
        .advanceProcessingTime(10)
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", stream))
          .apply(
            into("Window", fixedWindows(100), {
              trigger: repeatedly(afterProcessingTime({ delayMs: 10 })),
              accumulation: "accumulating",
              timestampCombiner: "earliest",
            }),
          )
          .apply(keyed("all"))
          .apply(sum())
          .apply(collect("sums")),
      );
      expectElements(run, "sums", [{ value: kv("all", 7), window: "0/100", timestampMs: 2 }]);
    },
  );
});
