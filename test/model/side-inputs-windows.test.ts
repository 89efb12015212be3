/** Scenarios of side inputs by window: which window is read, and when it is there. */
import { withName } from "../../transforms/primitives/beam.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, repeatedly } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { sum } from "./support/combine-fns.js";
import { into } from "./support/into.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectOutputs, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { WithAllFn, WithOneFn } from "./support/side-input-fns.js";
import { at, elements, kv, windowed } from "./support/sources.js";

const CATEGORY = "side inputs";

scenariosOf(CATEGORY, () => {
  scenario(
    CATEGORY,
    "fixed windows read of the larger ones that hold them",
    ["iterable side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = windowed(root, "Side", fixedWindows(100), [1, 1], [99, 2], [100, 3]);
        windowed(root, "Main", fixedWindows(10), [5, "a"], [95, "b"], [105, "c"])
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [1, 2]], window: "0/10" },
        { value: ["b", [1, 2]], window: "90/100" },
        { value: ["c", [3]], window: "100/110" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "fixed windows read of the global window",
    ["iterable side input", "global window"],
    async () => {
      const run = await runModel((root) => {
        const side = elements(root, [1, 2], "Side");
        windowed(root, "Main", fixedWindows(10), [5, "a"], [15, "b"])
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [1, 2]], window: "0/10" },
        { value: ["b", [1, 2]], window: "10/20" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "an element in several windows reads of each",
    ["iterable side input", "sliding windows"],
    async () => {
      const run = await runModel((root) => {
        const side = windowed(root, "Side", fixedWindows(5), [1, 1], [6, 6], [11, 11]);
        windowed(root, "Main", slidingWindows({ sizeMs: 10, periodMs: 5 }), [7, "a"])
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [6]], window: "0/10" },
        { value: ["a", [11]], window: "5/15" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "main windows read of the first sliding window that holds their end",
    ["iterable side input", "sliding windows"],
    async () => {
      const run = await runModel((root) => {
        const side = windowed(
          root,
          "Side",
          slidingWindows({ sizeMs: 10, periodMs: 5 }),
          [1, 1],
          [6, 6],
          [11, 11],
          [16, 16],
        );
        windowed(root, "Main", fixedWindows(10), [7, "a"])
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [{ value: ["a", [1, 6]], window: "0/10" }]);
    },
  );

  scenario(
    CATEGORY,
    "an element waits until its side window is complete",
    ["iterable side input", "TestStream"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "main a"))
        .addElements(at(2, "side 1"))
        .addElements(at(12, "side 2"))
        .addElements(at(3, "side 3"))
        .advanceWatermarkTo(10)
        .addElements(at(13, "main b"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script)).apply(into("Windows", fixedWindows(10)));
        const only = (name: string, kind: string) =>
          all.apply(
            parDo<string, string>(name, () => ({ process: (text) => (text.startsWith(kind) ? [text] : []) })),
          );
        only("Main", "main")
          .apply(parDo("With", () => new WithAllFn<string>(), { sideInputs: { side: only("Side", "side") } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["main a", ["side 1", "side 3"]], window: "0/10", timestampMs: 1 },
        { value: ["main b", ["side 2"]], window: "10/20", timestampMs: 13 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a triggered side input is read as it stands",
    ["triggered side input", "TestStream", "accumulating panes"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "side 1"))
        .addElements(at(2, "main a"))
        .addElements(at(3, "side 20"))
        .addElements(at(4, "main b"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script));
        const only = (name: string, kind: string) =>
          all.apply(
            parDo<string, string>(name, () => ({ process: (text) => (text.startsWith(kind) ? [text] : []) })),
          );
        const side = only("Side", "side")
          .apply(mapping("Pair", (text: string) => kv("all", Number(text.split(" ")[1]))))
          .apply(
            into("Trigger", globalWindows(), {
              trigger: repeatedly(afterCount(1)),
              accumulation: "accumulating",
            }),
          )
          .apply(sum())
          .apply(mapping("Value", ({ value }: KV<string, number>) => value));
        only("Main", "main")
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["main a", 1],
        ["main b", 21],
      ]);
    },
  );
});
