/** Scenarios of map and multimap side inputs. */
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { sum } from "./support/combine-fns.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectOutputs, runModel, runToFailure } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { KeysFn, LookUpAllFn, LookUpFn } from "./support/side-input-fns.js";
import { elements, kv, windowed } from "./support/sources.js";

const CATEGORY = "side inputs";

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "a map has one value a key, and none for others", ["map side input"], async () => {
    const run = await runModel((root) => {
      const side = elements(root, [kv("a", 1), kv("b", 3)], "Side");
      elements(root, ["a", "b", "c"], "Main")
        .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 1],
      ["b", 3],
      ["c", "none"],
    ]);
  });

  scenario(CATEGORY, "a map of what was combined has its sums", ["map side input", "Combine"], async () => {
    const run = await runModel((root) => {
      const side = elements(root, [kv("a", 1), kv("a", 20), kv("b", 3)], "Side").apply(sum());
      elements(root, ["a", "b"], "Main")
        .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 21],
      ["b", 3],
    ]);
  });

  scenario(
    CATEGORY,
    "a map that has a key twice is an error when it is read",
    ["map side input", "faults"],
    async () => {
      await runToFailure((root) => {
        const side = elements(root, [kv("a", 1), kv("a", 1)], "Side");
        elements(root, ["a"], "Main")
          .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
          .apply(collect("out"));
      }, /side.*a|a.*side/s);
    },
  );

  scenario(
    CATEGORY,
    "a map has the entries of the element's window",
    ["map side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = windowed(
          root,
          "Side",
          fixedWindows(10),
          [1, kv("a", 1)],
          [2, kv("b", 4)],
          [11, kv("b", 3)],
        );
        windowed(root, "Main", fixedWindows(10), [5, "a"], [4, "b"], [15, "b"], [16, "a"])
          .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", 1], window: "0/10" },
        { value: ["b", 4], window: "0/10" },
        { value: ["b", 3], window: "10/20" },
        { value: ["a", "none"], window: "10/20" },
      ]);
    },
  );

  scenario(CATEGORY, "an empty map has nothing", ["map side input"], async () => {
    const run = await runModel((root) => {
      const side = elements<KV<string, number>>(root, [], "Side");
      elements(root, ["a"], "Main")
        .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", "none"]]);
  });

  scenario(CATEGORY, "a multimap has all values of a key", ["multimap side input"], async () => {
    const run = await runModel((root) => {
      const side = elements(root, [kv("a", 1), kv("a", 1), kv("a", 2), kv("b", 3)], "Side");
      elements(root, ["a", "b", "c"], "Main")
        .apply(parDo("Look up", () => new LookUpAllFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", [1, 1, 2]],
      ["b", [3]],
      ["c", []],
    ]);
  });

  scenario(
    CATEGORY,
    "a multimap has the values of the element's window",
    ["multimap side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = windowed(
          root,
          "Side",
          fixedWindows(10),
          [1, kv("a", 1)],
          [2, kv("a", 2)],
          [11, kv("a", 3)],
        );
        windowed(root, "Main", fixedWindows(10), [5, "a"], [15, "a"])
          .apply(parDo("Look up", () => new LookUpAllFn(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [1, 2]], window: "0/10" },
        { value: ["a", [3]], window: "10/20" },
      ]);
    },
  );

  scenario(CATEGORY, "a multimap tells its keys, each once", ["multimap side input"], async () => {
    const run = await runModel((root) => {
      const side = elements(root, [kv("x", 1), kv("y", 1), kv("x", 2)], "Side");
      elements(root, ["a"], "Main")
        .apply(parDo("Keys", () => new KeysFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", ["x", "y"]]]);
  });
});
