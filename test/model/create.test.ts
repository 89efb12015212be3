/** Scenarios of create: elements that stand in the graph. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import { collect, expectElements, expectOutputs, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { timed } from "./support/sources.js";

const CATEGORY = "create";

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "emits each element, repeats included", ["ParDo"], async () => {
    const run = await runModel((root) =>
      root.apply(withName("Create", create(["a", "b", "b", ""]))).apply(collect("elements")),
    );
    expectOutputs(run, "elements", ["a", "b", "b", ""]);
  });

  scenario(CATEGORY, "of nothing emits nothing", ["ParDo"], async () => {
    const run = await runModel((root) =>
      root.apply(withName("Create", create([]))).apply(collect("elements")),
    );
    expectOutputs(run, "elements", []);
  });

  scenario(
    CATEGORY,
    "puts elements into the global window, at the beginning of time",
    ["timestamps", "global window"],
    async () => {
      const run = await runModel((root) =>
        root.apply(withName("Create", create([1, 2]))).apply(collect("elements")),
      );
      expectElements(run, "elements", [
        { value: 1, timestampMs: MIN_TIMESTAMP_MS, window: "", timing: "UNKNOWN" },
        { value: 2, timestampMs: MIN_TIMESTAMP_MS, window: "", timing: "UNKNOWN" },
      ]);
    },
  );

  scenario(CATEGORY, "gives elements the event times that it is told", ["timestamps"], async () => {
    const run = await runModel((root) =>
      root
        .apply(
          timed("Create", [
            [5, "five"],
            [-5, "minus five"],
            [0, "zero"],
          ]),
        )
        .apply(collect("elements")),
    );
    expectElements(run, "elements", [
      { value: "five", timestampMs: 5 },
      { value: "minus five", timestampMs: -5 },
      { value: "zero", timestampMs: 0 },
    ]);
  });

  scenario(CATEGORY, "keeps what elements hold, in whatever depth", ["coders"], async () => {
    const elements = [
      { id: 1, tags: ["x", "y"], nested: { empty: {}, list: [[], [1, [2]]], flag: false } },
      [1, "one", null],
      0.1,
      true,
      "žluťoučký kůň 🐎",
    ];
    const run = await runModel((root) =>
      root.apply(withName("Create", create<unknown>(elements))).apply(collect("elements")),
    );
    expectOutputs(run, "elements", elements);
  });

  scenario(CATEGORY, "emits 100,000 elements once each", ["ParDo"], async () => {
    const elements = Array.from({ length: 100_000 }, (_, index) => index);
    const run = await runModel((root) =>
      root.apply(withName("Create", create(elements))).apply(collect("elements")),
    );
    expect((run.values("elements") as number[]).toSorted((a, b) => a - b)).to.deep.equal(elements);
  });

  scenario(CATEGORY, "refuses an element that no coder carries, and says which", ["coders"], async () => {
    let failure: unknown;
    try {
      await runModel((root) =>
        root.apply(withName("Create", create<unknown>([1, { deep: [() => 1] }]))).apply(collect("elements")),
      );
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(Error);
    expect((failure as Error).message).to.match(/deep/);
  });
});
