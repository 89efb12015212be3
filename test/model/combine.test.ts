/** Scenarios of Combine: what is combined, in which windows, and what a CombineFn is asked for. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { combinePerKey, registerCombineFn } from "../../transforms/primitives/combine-per-key.js";
import { create } from "../../transforms/primitives/create.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, afterWatermark, repeatedly } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import {
  fixedWindows,
  globalWindows,
  sessions,
  slidingWindows,
} from "../../transforms/primitives/window-fns.js";
import { COUNT, mean, sum } from "./support/combine-fns.js";
import { keyed } from "./support/grouping.js";
import { into } from "./support/into.js";
import { parDo } from "./support/local-do-fn.js";
import {
  collect,
  expectElements,
  expectOutputs,
  expectPanes,
  runModel,
  runToFailure,
} from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { at, kv, timed } from "./support/sources.js";

const CATEGORY = "Combine";

/** The largest so many, largest first. */
const LARGEST = registerCombineFn("test/model/largest@1", ({ count }: { count: number }) => ({
  createAccumulator: () => [] as readonly number[],
  addInput: (largest: readonly number[], input: number) =>
    [...largest, input].sort((a, b) => b - a).slice(0, count),
  mergeAccumulators: (all: Iterable<readonly number[]>) =>
    [...all]
      .flat()
      .sort((a, b) => b - a)
      .slice(0, count),
  extractOutput: (largest: readonly number[]) => largest,
}));

/** Fails at the input 13. */
const SUPERSTITIOUS = registerCombineFn("test/model/superstitious@1", () => ({
  createAccumulator: () => 0,
  addInput(sumSoFar: number, input: number): number {
    if (input === 13) throw new Error("13 is not added");
    return sumSoFar + input;
  },
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (total: number) => total,
}));

const PAIRS: readonly (readonly [number, KV<string, number>])[] = [
  [0, kv("a", 1)],
  [1, kv("a", 1)],
  [6, kv("a", 4)],
  [7, kv("b", 1)],
  [8, kv("b", 13)],
];

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "gives one output a key", ["Combine"], async () => {
    const run = await runModel((root) =>
      root.apply(timed("Pairs", PAIRS)).apply(sum()).apply(collect("sums")),
    );
    expectElements(run, "sums", [
      { value: kv("a", 6), window: "", timing: "ON_TIME" },
      { value: kv("b", 14), window: "", timing: "ON_TIME" },
    ]);
  });

  scenario(CATEGORY, "gives nothing for no key", ["Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(withName("None", create<KV<string, number>>([])))
        .apply(sum())
        .apply(collect("sums")),
    );
    expectOutputs(run, "sums", []);
  });

  scenario(CATEGORY, "has accumulators that are neither inputs nor outputs", ["Combine"], async () => {
    const run = await runModel((root) =>
      root.apply(timed("Pairs", PAIRS)).apply(mean()).apply(collect("means")),
    );
    expectOutputs(run, "means", [kv("a", 2), kv("b", 7)]);
  });

  scenario(CATEGORY, "hands its configuration to the CombineFn", ["Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(withName("Pairs", create([5, 1, 9, 7, 9].map((value) => kv("k", value)))))
        .apply(withName("Largest", combinePerKey<string, number, number[]>(LARGEST, { count: 3 })))
        .apply(collect("largest")),
    );
    expectOutputs(run, "largest", [kv("k", [9, 9, 7])]);
  });

  scenario(CATEGORY, "combines in fixed windows", ["Combine", "fixed windows"], async () => {
    const run = await runModel((root) =>
      root
        .apply(timed("Pairs", PAIRS))
        .apply(into("Window", fixedWindows(2)))
        .apply(sum())
        .apply(collect("sums")),
    );
    expectElements(run, "sums", [
      { value: kv("a", 2), window: "0/2", timestampMs: 1 },
      { value: kv("a", 4), window: "6/8", timestampMs: 7 },
      { value: kv("b", 1), window: "6/8", timestampMs: 7 },
      { value: kv("b", 13), window: "8/10", timestampMs: 9 },
    ]);
  });

  scenario(CATEGORY, "combines in sliding windows", ["Combine", "sliding windows"], async () => {
    const run = await runModel((root) =>
      root
        .apply(timed("Pairs", PAIRS))
        .apply(into("Window", slidingWindows({ sizeMs: 4, periodMs: 2 })))
        .apply(sum())
        .apply(collect("sums")),
    );
    expectElements(run, "sums", [
      { value: kv("a", 2), window: "-2/2" },
      { value: kv("a", 2), window: "0/4" },
      { value: kv("a", 4), window: "4/8" },
      { value: kv("b", 1), window: "4/8" },
      { value: kv("a", 4), window: "6/10" },
      { value: kv("b", 14), window: "6/10" },
      { value: kv("b", 13), window: "8/12" },
    ]);
  });

  scenario(CATEGORY, "combines in sessions", ["Combine", "session windows"], async () => {
    const run = await runModel((root) =>
      root
        .apply(timed("Pairs", PAIRS))
        .apply(into("Window", sessions(5)))
        .apply(mean())
        .apply(collect("means")),
    );
    expectElements(run, "means", [
      { value: kv("a", 1), window: "0/6", timestampMs: 5 },
      { value: kv("a", 4), window: "6/11", timestampMs: 10 },
      { value: kv("b", 7), window: "7/13", timestampMs: 12 },
    ]);
  });

  scenario(
    CATEGORY,
    "merges accumulators of sessions that join",
    ["Combine", "session windows"],
    async () => {
      const script = testStream<KV<string, number>>()
        .addElements(at(0, kv("a", 1)))
        .addElements(at(16, kv("a", 5)))
        .addElements(at(8, kv("a", 6)))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", script))
          .apply(into("Window", sessions(10)))
          .apply(mean())
          .apply(collect("means")),
      );
      expectElements(run, "means", [{ value: kv("a", 4), window: "0/26" }]);
    },
  );

  scenario(CATEGORY, "in windows without elements gives nothing", ["Combine", "fixed windows"], async () => {
    const run = await runModel((root) =>
      root
        .apply(
          timed("Pairs", [
            [0, kv("a", 1)],
            [95, kv("a", 2)],
          ]),
        )
        .apply(into("Window", fixedWindows(10)))
        .apply(sum())
        .apply(collect("sums")),
    );
    expectElements(run, "sums", [
      { value: kv("a", 1), window: "0/10" },
      { value: kv("a", 2), window: "90/100" },
    ]);
  });

  scenario(CATEGORY, "combines 10,000 values of a hot key beside cold ones", ["Combine"], async () => {
    const pairs = Array.from({ length: 10_000 }, (_, index) => [
      kv("hot", index),
      ...(index % 1000 === 0 ? [kv(`cold ${index}`, index)] : []),
    ]).flat();
    const run = await runModel((root) =>
      root
        .apply(withName("Pairs", create(pairs)))
        .apply(sum())
        .apply(collect("sums")),
    );
    expectOutputs(run, "sums", [
      kv("hot", 49_995_000),
      ...Array.from({ length: 10 }, (_, index) => kv(`cold ${index * 1000}`, index * 1000)),
    ]);
  });

  scenario(
    CATEGORY,
    "gives sums of each pane alone when panes are discarded",
    ["Combine", "discarding panes"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", fourNumbers()))
          .apply(
            into("Window", globalWindows(), {
              trigger: repeatedly(afterCount(2)),
              accumulation: "discarding",
              onTimeBehavior: "fire-if-non-empty",
              closingBehavior: "emit-if-non-empty",
            }),
          )
          .apply(keyed("k"))
          .apply(sum())
          .apply(collect("sums")),
      );
      expectPanes(run, "sums", [
        { value: kv("k", 3), timing: "EARLY" },
        { value: kv("k", 7), timing: "EARLY" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "gives sums so far when panes accumulate",
    ["Combine", "accumulating panes"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", fourNumbers()))
          .apply(
            into("Window", globalWindows(), {
              trigger: afterWatermark({ early: afterCount(2) }),
              accumulation: "accumulating",
            }),
          )
          .apply(keyed("k"))
          .apply(sum())
          .apply(collect("sums")),
      );
      expectPanes(run, "sums", [
        { value: kv("k", 3), timing: "EARLY" },
        { value: kv("k", 10), timing: "EARLY" },
        { value: kv("k", 10), timing: "ON_TIME" },
      ]);
    },
  );

  scenario(CATEGORY, "combines what was combined", ["Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(timed("Pairs", PAIRS))
        .apply(into("Window", fixedWindows(2)))
        .apply(sum("Sum by window"))
        .apply(into("Unwindow", globalWindows()))
        .apply(
          parDo<KV<string, number>, KV<string, number>>("All", () => ({
            process: ({ value }) => [kv("all", value)],
          })),
        )
        .apply(mean("Mean of sums"))
        .apply(collect("means")),
    );
    expectOutputs(run, "means", [kv("all", 5)]);
  });

  scenario(CATEGORY, "counts elements whatever they are", ["Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(withName("Pairs", create([kv("a", null), kv("a", "x"), kv("b", {}), kv("a", [])])))
        .apply(withName("Count", combinePerKey<string, unknown, number>(COUNT, null)))
        .apply(collect("counts")),
    );
    expectOutputs(run, "counts", [kv("a", 3), kv("b", 1)]);
  });

  scenario(CATEGORY, "fails with its CombineFn's error", ["Combine", "faults"], async () => {
    await runToFailure(
      (root) =>
        root
          .apply(timed("Pairs", PAIRS))
          .apply(withName("Sum", combinePerKey<string, number, number>(SUPERSTITIOUS, null)))
          .apply(collect("sums")),
      /13 is not added/,
    );
  });

  scenario(CATEGORY, "refuses a CombineFn that nobody registered", ["Combine"], async () => {
    const error = await runToFailure(
      (root) =>
        root
          .apply(timed("Pairs", PAIRS))
          .apply(withName("Sum", combinePerKey<string, number, number>("test/model/nobody@1", null)))
          .apply(collect("sums")),
      /test\/model\/nobody@1/,
    );
    expect(error.message).to.match(/regist/);
  });
});

function fourNumbers(): ReturnType<typeof testStream<number>> {
  return testStream<number>()
    .addElements(at(1, 1))
    .addElements(at(2, 2))
    .addElements(at(3, 3))
    .addElements(at(4, 4))
    .advanceWatermarkToInfinity();
}
