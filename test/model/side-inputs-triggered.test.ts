/** Scenarios of side inputs whose panes come one after the other, and of elements that read them late. */
import { type PCollection, withName } from "../../transforms/primitives/beam.js";
import { combinePerKey } from "../../transforms/primitives/combine-per-key.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, afterWatermark, repeatedly } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows } from "../../transforms/primitives/window-fns.js";
import type { WindowingOptions } from "../../transforms/primitives/window-into.js";
import { SUM } from "./support/combine-fns.js";
import { into } from "./support/into.js";

import { mapping, parDo } from "./support/local-do-fn.js";
import { collect, expectOutputs, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { WithAllFn, WithOneFn } from "./support/side-input-fns.js";
import { at, kv } from "./support/sources.js";

const CATEGORY = "side inputs";

/** Those elements of a script that begin so. */
const only = (all: PCollection<string>, name: string, kind: string) =>
  all.apply(
    parDo<string, string>(name, () => ({ process: (text) => (text.startsWith(kind) ? [text] : []) })),
  );

/** Sums of `side <key> <number>`, by key and pane. */
const sums = (all: PCollection<string>, options: WindowingOptions) =>
  only(all, "Side", "side")
    .apply(
      mapping("Pair", (text: string) => {
        const [, key = "", number = ""] = text.split(" ");
        return kv(key, Number(number));
      }),
    )
    .apply(into("Trigger", globalWindows(), options))
    .apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)))
    .apply(mapping("Value", ({ value }: KV<string, number>) => value));

scenariosOf(CATEGORY, () => {
  scenario(
    CATEGORY,
    "a later pane takes the place of the earlier ones of its key, also where the key is gone",
    ["triggered side input", "iterable side input", "TestStream", "accumulating panes"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "side x 1"), at(1, "side y 10"))
        .addElements(at(2, "main a"))
        .addElements(at(3, "side x 2"))
        .addElements(at(4, "main b"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script));
        const side = sums(all, { trigger: repeatedly(afterCount(1)), accumulation: "accumulating" });
        only(all, "Main", "main")
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["main a", [1, 10]],
        ["main b", [3, 10]],
      ]);
    },
  );

  scenario(
    CATEGORY,
    "the latest firing is what is read of discarded panes too",
    ["triggered side input", "singleton side input", "TestStream"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "side x 1"))
        .addElements(at(2, "main a"))
        .addElements(at(3, "side x 20"))
        .addElements(at(4, "main b"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script));
        const side = sums(all, { trigger: repeatedly(afterCount(1)), accumulation: "discarding" });
        only(all, "Main", "main")
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["main a", 1],
        ["main b", 20],
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a side input whose trigger waits for the window's end is not read before",
    ["iterable side input", "TestStream", "watermark trigger"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "side 1"))
        .addElements(at(2, "main a"))
        .addElements(at(3, "side 2"))
        .advanceWatermarkTo(10)
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script)).apply(into("Windows", fixedWindows(10)));
        const side = only(all, "Side", "side").apply(
          into("Trigger", fixedWindows(10), { trigger: afterWatermark(), accumulation: "discarding" }),
        );
        only(all, "Main", "main")
          .apply(parDo("With", () => new WithAllFn<string>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [["main a", ["side 1", "side 2"]]]);
    },
  );

  scenario(
    CATEGORY,
    "a late element within its allowed lateness reads what elements on time did",
    ["iterable side input", "TestStream", "allowed lateness"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "side 1"), at(2, "main a"))
        .advanceWatermarkTo(50)
        .addElements(at(3, "main b"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script));
        const side = only(all, "Side", "side").apply(into("Side windows", fixedWindows(10)));
        only(all, "Main", "main")
          .apply(into("Main windows", fixedWindows(10), { allowedLatenessMs: 100 }))
          .apply(parDo("With", () => new WithAllFn<string>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["main a", ["side 1"]],
        ["main b", ["side 1"]],
      ]);
    },
  );
});
