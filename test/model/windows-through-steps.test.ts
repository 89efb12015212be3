/** Scenarios of what becomes of windows in the steps behind them. */
import { type PCollection, withName } from "../../transforms/primitives/beam.js";
import { combinePerKey } from "../../transforms/primitives/combine-per-key.js";
import { create } from "../../transforms/primitives/create.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { COUNT, mean } from "./support/combine-fns.js";
import { both, grouped, keyed, sorted } from "./support/grouping.js";
import { into } from "./support/into.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectOutputs, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { kv, timed } from "./support/sources.js";
import { CATEGORY } from "./support/window-scenarios.js";

scenariosOf(CATEGORY, () => {
  scenario(
    CATEGORY,
    "a window function assigns once, however many windows an element had",
    ["sliding windows", "fixed windows"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(timed("Elements", [[7, "a"]]))
          .apply(into("Slide", slidingWindows({ sizeMs: 20, periodMs: 5 })))
          .apply(into("Fix", fixedWindows(10)))
          .apply(collect("assigned")),
      );
      expectElements(run, "assigned", [{ value: "a", window: "0/10", timestampMs: 7 }]);
    },
  );

  scenario(
    CATEGORY,
    "the global window takes elements back",
    ["global window", "fixed windows"],
    async () => {
      const run = await runModel((root) =>
        grouped(
          root
            .apply(
              timed("Elements", [
                [1, "a"],
                [11, "b"],
              ]),
            )
            .apply(into("Fix", fixedWindows(10)))
            .apply(into("Unfix", globalWindows()))
            .apply(keyed("all")),
        ).apply(collect("groups")),
      );
      expectElements(run, "groups", [{ value: kv("all", ["a", "b"]), window: "" }]);
    },
  );

  scenario(
    CATEGORY,
    "steps behind a window function keep its windows and times",
    ["fixed windows"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(
            timed("Elements", [
              [1, "a"],
              [11, "b"],
            ]),
          )
          .apply(into("Fix", fixedWindows(10)))
          .apply(mapping("Upper", (text: string) => text.toUpperCase()))
          .apply(parDo<string, string>("Twice", () => ({ process: (text) => [text, text] })))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: "A", window: "0/10", timestampMs: 1 },
        { value: "A", window: "0/10", timestampMs: 1 },
        { value: "B", window: "10/20", timestampMs: 11 },
        { value: "B", window: "10/20", timestampMs: 11 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a DoFn that observes windows is called for each, another once for all",
    ["ParDo", "sliding windows"],
    async () => {
      const run = await runModel((root) => {
        const windowed = root
          .apply(timed("Elements", [[7, "a"]]))
          .apply(into("Slide", slidingWindows({ sizeMs: 10, periodMs: 5 })));
        windowed
          .apply(
            parDo<string, string>("Each", () => ({
              observesWindows: true,
              process: (value, { window }) => [`${value} in ${window.id}`],
            })),
          )
          .apply(into("Each globally", globalWindows()))
          .apply(collect("each"));
        windowed
          .apply(
            parDo<string, string>("Once", () => ({
              process: (value, { windows }) => [
                `${value} in ${sorted(windows.map(({ id }) => id)).join(" ")}`,
              ],
            })),
          )
          .apply(into("Once globally", globalWindows()))
          .apply(collect("once"));
      });
      expectOutputs(run, "each", ["a in 0/10", "a in 5/15"]);
      expectOutputs(run, "once", ["a in 0/10 5/15"]);
    },
  );

  scenario(CATEGORY, "words are counted in fixed windows", ["fixed windows", "Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(
          timed("Words", [
            [1, "b"],
            [2, "a"],
            [3, "a"],
            [11, "c"],
            [12, "b"],
            [13, "b"],
          ]),
        )
        .apply(into("Fix", fixedWindows(10)))
        .apply(mapping("Pair", (word: string) => kv(word, word)))
        .apply(withName("Count", combinePerKey<string, string, number>(COUNT, null)))
        .apply(collect("counts")),
    );
    expectElements(run, "counts", [
      { value: kv("a", 2), window: "0/10", timestampMs: 9 },
      { value: kv("b", 1), window: "0/10", timestampMs: 9 },
      { value: kv("b", 2), window: "10/20", timestampMs: 19 },
      { value: kv("c", 1), window: "10/20", timestampMs: 19 },
    ]);
  });

  scenario(CATEGORY, "means are taken in sliding windows", ["sliding windows", "Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(
          timed("Numbers", [
            [1, kv("k", 10)],
            [7, kv("k", 20)],
            [12, kv("k", 60)],
          ]),
        )
        .apply(into("Slide", slidingWindows({ sizeMs: 10, periodMs: 5 })))
        .apply(mean())
        .apply(collect("means")),
    );
    expectElements(run, "means", [
      { value: kv("k", 10), window: "-5/5" },
      { value: kv("k", 15), window: "0/10" },
      { value: kv("k", 40), window: "5/15" },
      { value: kv("k", 60), window: "10/20" },
    ]);
  });

  scenario(
    CATEGORY,
    "windows survive Flatten on the way to a grouping",
    ["fixed windows", "Flatten"],
    async () => {
      const run = await runModel((root) => {
        const window = (name: string, input: PCollection<string>) =>
          input.apply(into(name, fixedWindows(10)));
        const left = window(
          "Left windows",
          root.apply(
            timed("Left", [
              [1, "a"],
              [11, "b"],
            ]),
          ),
        );
        const right = window(
          "Right windows",
          root.apply(
            timed("Right", [
              [2, "c"],
              [21, "d"],
            ]),
          ),
        );
        grouped(both("Both", [left, right]).apply(keyed("all"))).apply(collect("groups"));
      });
      expectElements(run, "groups", [
        { value: kv("all", ["a", "c"]), window: "0/10" },
        { value: kv("all", ["b"]), window: "10/20" },
        { value: kv("all", ["d"]), window: "20/30" },
      ]);
    },
  );

  scenario(CATEGORY, "an empty input has no windows", ["fixed windows", "GroupByKey"], async () => {
    const run = await runModel((root) =>
      grouped(
        root.apply(withName("None", create<KV<string, number>>([]))).apply(into("Fix", fixedWindows(10))),
      ).apply(collect("groups")),
    );
    expectOutputs(run, "groups", []);
  });
});
