/** Scenarios of iterable and singleton side inputs, and of several in one pipeline. */
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { sum } from "./support/combine-fns.js";
import { sorted } from "./support/grouping.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectOutputs, runModel, runToFailure } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { LookUpAllFn, ScaledCountFn, WithAllFn, WithOneFn, WithTwoFn } from "./support/side-input-fns.js";
import { elements, kv, windowed } from "./support/sources.js";

const CATEGORY = "side inputs";

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "an iterable has all elements, for each element", ["iterable side input"], async () => {
    const run = await runModel((root) => {
      const side = elements(root, [11, 13, 17, 11], "Side");
      elements(root, ["a", "b"], "Main")
        .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", [11, 11, 13, 17]],
      ["b", [11, 11, 13, 17]],
    ]);
  });

  scenario(CATEGORY, "an empty iterable is there, and empty", ["iterable side input"], async () => {
    const run = await runModel((root) => {
      const side = elements<number>(root, [], "Side");
      elements(root, ["a"], "Main")
        .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", []]]);
  });

  scenario(
    CATEGORY,
    "an iterable has the elements of the element's window",
    ["iterable side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = windowed(root, "Side", fixedWindows(10), [1, 11], [11, 13], [12, 17], [21, 19]);
        windowed(root, "Main", fixedWindows(10), [5, "a"], [15, "b"], [35, "c"])
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [11]], window: "0/10", timestampMs: 5 },
        { value: ["b", [13, 17]], window: "10/20", timestampMs: 15 },
        { value: ["c", []], window: "30/40", timestampMs: 35 },
      ]);
    },
  );

  scenario(CATEGORY, "an iterable of lists keeps them whole", ["iterable side input"], async () => {
    const run = await runModel((root) => {
      const side = elements(root, [[1, 2], [3], []], "Side");
      elements(root, ["a"], "Main")
        .apply(parDo("With", () => new WithAllFn<number[]>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", sorted([[1, 2], [3], []])]]);
  });

  scenario(CATEGORY, "a singleton is its one element", ["singleton side input"], async () => {
    const run = await runModel((root) => {
      const side = elements(root, [47], "Side");
      elements(root, ["a", "b"], "Main")
        .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 47],
      ["b", 47],
    ]);
  });

  scenario(
    CATEGORY,
    "a singleton is the one of the element's window",
    ["singleton side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = windowed(root, "Side", fixedWindows(10), [1, 47], [11, 48]);
        windowed(root, "Main", fixedWindows(10), [5, "a"], [15, "b"])
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", 47], window: "0/10" },
        { value: ["b", 48], window: "10/20" },
      ]);
    },
  );

  scenario(CATEGORY, "a singleton without element is its default", ["singleton side input"], async () => {
    const run = await runModel((root) => {
      const side = windowed(root, "Side", fixedWindows(10), [1, 47]);
      windowed(root, "Main", fixedWindows(10), [5, "a"], [15, "b"])
        .apply(parDo("With", () => new WithOneFn<number>(-1), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 47],
      ["b", -1],
    ]);
  });

  scenario(
    CATEGORY,
    "a singleton without element and default is an error",
    ["singleton side input", "faults"],
    async () => {
      await runToFailure((root) => {
        const side = elements<number>(root, [], "Side");
        elements(root, ["a"], "Main")
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      }, /side/);
    },
  );

  scenario(
    CATEGORY,
    "a singleton of several elements is an error",
    ["singleton side input", "faults"],
    async () => {
      await runToFailure((root) => {
        const side = elements(root, [1, 2], "Side");
        elements(root, ["a"], "Main")
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      }, /side.*2/);
    },
  );

  scenario(
    CATEGORY,
    "one step reads two side inputs",
    ["iterable side input", "singleton side input"],
    async () => {
      const run = await runModel((root) => {
        const small = elements(root, [1], "Small");
        const large = elements(root, [100, 200], "Large");
        elements(root, ["a"], "Main")
          .apply(parDo("With", () => new WithTwoFn(), { sideInputs: { small, large } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [["a", 301]]);
    },
  );

  scenario(
    CATEGORY,
    "two steps read one side input in ways of their own",
    ["iterable side input", "multimap side input"],
    async () => {
      const run = await runModel((root) => {
        const side = elements(root, [kv("a", 1), kv("b", 2)], "Side");
        const main = elements(root, ["a"], "Main");
        main
          .apply(parDo("All", () => new WithAllFn<KV<string, number>>(), { sideInputs: { side } }))
          .apply(collect("all"));
        main
          .apply(parDo("Look up", () => new LookUpAllFn(), { sideInputs: { side } }))
          .apply(collect("looked up"));
      });
      expectOutputs(run, "all", [["a", [kv("a", 1), kv("b", 2)]]]);
      expectOutputs(run, "looked up", [["a", [1]]]);
    },
  );

  scenario(
    CATEGORY,
    "a side input is made from the main input itself",
    ["singleton side input", "Combine"],
    async () => {
      const run = await runModel((root) => {
        const words = elements(root, ["a", "bb", "cccc"], "Words");
        const side = words
          .apply(mapping("Length", (word: string) => kv("all", word.length)))
          .apply(sum())
          .apply(mapping("Value", ({ value }: KV<string, number>) => value));
        words
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["a", 7],
        ["bb", 7],
        ["cccc", 7],
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a stateful step reads a side input too",
    ["singleton side input", "value state"],
    async () => {
      const run = await runModel((root) => {
        const factor = elements(root, [10], "Factor");
        elements(root, [kv("x", "1"), kv("y", "2"), kv("x", "3")], "Main")
          .apply(parDo("Count", () => new ScaledCountFn(), { sideInputs: { factor } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["x", 10],
        ["x", 20],
        ["y", 10],
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a side input that the step does not declare is refused by name",
    ["iterable side input"],
    async () => {
      await runToFailure((root) => {
        const other = elements(root, [1], "Side");
        elements(root, ["a"], "Main")
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { other } }))
          .apply(collect("out"));
      }, /other/);
    },
  );

  scenario(
    CATEGORY,
    "a declared side input that nobody gives is refused by name",
    ["iterable side input"],
    async () => {
      await runToFailure(
        (root) =>
          elements(root, ["a"], "Main")
            .apply(parDo("With", () => new WithAllFn<number>()))
            .apply(collect("out")),
        /side/,
      );
    },
  );
});
