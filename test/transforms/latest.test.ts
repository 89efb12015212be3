/** latest on the direct runner: which element is the latest, by window, pane and key, and what stands for none. */
import { expect } from "chai";
import { latest } from "../../transforms/latest.js";
import { P, type PCollection, withName } from "../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import { create } from "../../transforms/primitives/create.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, afterWatermark } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, sessions } from "../../transforms/primitives/window-fns.js";
import { into } from "../model/support/into.js";
import { mapping } from "../model/support/local-do-fn.js";
import {
  collect,
  expectElements,
  expectOutputs,
  expectPanes,
  runModel,
  runToFailure,
} from "../model/support/run-model.js";
import { at, elements, elementsAt, kv, streamed } from "../model/support/sources.js";
import { coderText, collectionOf, startGraph } from "./primitives/graph-under-test.js";

type Pair = KV<string, string>;

const perKey = () => withName("Latest", latest.perKey<string, string>());

describe("latest", () => {
  it("latest.perKey() gives each key's value of the latest event time, whatever came last", async () => {
    const run = await runModel((root) =>
      elementsAt<Pair>(root, [
        [kv("a", "new"), 9],
        [kv("a", "old"), 2],
        [kv("b", "only"), 1],
        [kv("a", "middle"), 5],
      ])
        .apply(perKey())
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", "new"), window: "" },
      { value: kv("b", "only"), window: "" },
    ]);
  });

  it("latest.globally() gives the latest element, null for none, and nothing for none without defaults", async () => {
    const run = await runModel((root) => {
      const some = elementsAt(root, [
        ["x", 1],
        ["y", 3],
        ["z", 2],
      ]);
      some.apply(withName("Of some", latest.globally<string>())).apply(collect("some"));
      const none = elements<string>(root, [], "None");
      none.apply(withName("Of none", latest.globally<string>())).apply(collect("none"));
      none
        .apply(withName("Without", latest.globally<string>({ withoutDefaults: true })))
        .apply(collect("without"));
    });
    expectOutputs(run, "some", ["y"]);
    expectOutputs(run, "none", [null]);
    expectOutputs(run, "without", []);
  });

  it("latest takes of equal event times the greatest encoding, in whatever order they come", async () => {
    const values = ["b", "ca", "c", "a"];
    const orders = [values, [...values].reverse(), ["ca", "c", "b", "a"]];
    for (const order of orders) {
      const run = await runModel((root) =>
        elementsAt<Pair>(
          root,
          order.map((value) => [kv("k", value), 7]),
        )
          .apply(perKey())
          .apply(collect("out")),
      );
      // The general coder writes a text behind its length, so the longer one is the greater.
      expectOutputs(run, "out", [kv("k", "ca")]);
    }
  });

  it("latest.perKey() is by window, also where sessions merge", async () => {
    const run = await runModel((root) => {
      const input = elementsAt<Pair>(root, [
        [kv("a", "1"), 1],
        [kv("a", "2"), 8],
        [kv("a", "3"), 12],
        [kv("a", "4"), 40],
      ]);
      input
        .apply(into("Fixed", fixedWindows(10)))
        .apply(perKey())
        .apply(collect("fixed"));
      input
        .apply(into("Sessions", sessions(10)))
        .apply(withName("In sessions", latest.perKey<string, string>()))
        .apply(collect("sessions"));
    });
    expectElements(run, "fixed", [
      { value: kv("a", "2"), window: "0/10", timestampMs: 9 },
      { value: kv("a", "3"), window: "10/20", timestampMs: 19 },
      { value: kv("a", "4"), window: "40/50", timestampMs: 49 },
    ]);
    expectElements(run, "sessions", [
      { value: kv("a", "3"), window: "1/22" },
      { value: kv("a", "4"), window: "40/50" },
    ]);
  });

  it("latest.perKey() gives each pane that accumulates the latest so far", async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        testStream<Pair>()
          .addElements(at(5, kv("a", "first")))
          .addElements(at(4, kv("a", "earlier")))
          .advanceWatermarkTo(12)
          .addElements(at(3, kv("a", "late")))
          .advanceWatermarkToInfinity(),
      )
        .apply(
          into("Window", fixedWindows(10), {
            trigger: afterWatermark({ early: afterCount(1), late: afterCount(1) }),
            accumulation: "accumulating",
            allowedLatenessMs: 100,
          }),
        )
        .apply(perKey())
        .apply(collect("out")),
    );
    expectPanes(run, "out", [
      { value: kv("a", "first"), timing: "EARLY" },
      { value: kv("a", "first"), timing: "EARLY" },
      { value: kv("a", "first"), timing: "ON_TIME" },
      { value: kv("a", "first"), timing: "LATE" },
    ]);
  });

  it("latest gives nothing for an on-time pane that early ones have left empty", async () => {
    const run = await runModel((root) => {
      const input = streamed(
        root,
        testStream<Pair>()
          .addElements(at(5, kv("a", "first")))
          .addElements(at(4, kv("a", "second")))
          .advanceWatermarkToInfinity(),
      ).apply(
        into("Window", fixedWindows(10), {
          trigger: afterWatermark({ early: afterCount(1) }),
          accumulation: "discarding",
        }),
      );
      input.apply(withName("Group", groupByKey<string, string>())).apply(collect("panes"));
      input.apply(perKey()).apply(collect("by key"));
      input.apply(withName("Of all", latest.globally<Pair>({ withoutDefaults: true }))).apply(collect("all"));
    });
    expectPanes(run, "panes", [
      { value: kv("a", ["first"]), timing: "EARLY" },
      { value: kv("a", ["second"]), timing: "EARLY" },
      { value: kv("a", []), timing: "ON_TIME" },
    ]);
    expectPanes(run, "by key", [
      { value: kv("a", "first"), timing: "EARLY" },
      { value: kv("a", "second"), timing: "EARLY" },
    ]);
    expectPanes(run, "all", [
      { value: kv("a", "first"), timing: "EARLY" },
      { value: kv("a", "second"), timing: "EARLY" },
    ]);
  });

  it("latest keeps null, undefined and iterables as values", async () => {
    const run = await runModel((root) => {
      elementsAt<unknown>(root, [
        ["x", 1],
        [undefined, 2],
      ])
        .apply(withName("Latest", latest.globally<unknown>({ withoutDefaults: true })))
        .apply(collect("undefined"));
      elementsAt(
        root,
        [
          [kv("a", 1), 1],
          [kv("a", 2), 1],
          [kv("b", 3), 1],
        ] as const,
        "Pairs",
      )
        .apply(withName("Group", groupByKey<string, number>()))
        .apply(withName("Of groups", latest.globally<KV<string, Iterable<number>>>()))
        .apply(mapping("Key", (group) => (group as KV<string, Iterable<number>>).key))
        .apply(collect("group"));
    });
    expectOutputs(run, "undefined", [undefined]);
    expectOutputs(run, "group", ["b"]);
  });

  it("latest keeps the coder of its input, nullable where null stands for none", () => {
    const { pipeline, root } = startGraph();
    const texts = root.apply(withName("Texts", create(["a"], { coder: new StringUtf8Coder() })));
    const textOf = (out: PCollection<unknown>) => coderText(pipeline, collectionOf(pipeline, out).coderId);
    expect(textOf(texts.apply(withName("Default", latest.globally<string>())))).to.equal(
      "nullable<string_utf8>",
    );
    const without = latest.globally<string>({ withoutDefaults: true });
    expect(textOf(texts.apply(withName("Without", without)))).to.equal("string_utf8");
    const pairs = elements<Pair>(root, []);
    expect(textOf(P(pairs).apply(perKey()))).to.equal("kv<genericobjectjs, genericobjectjs>");
  });

  it("latest.globally() refuses windows without withoutDefaults while the graph is built", async () => {
    await runToFailure(
      (root) =>
        elements(root, ["a"])
          .apply(into("Window", fixedWindows(10)))
          .apply(withName("Latest", latest.globally<string>())),
      /combining globally with "latest@1" has a default .* got the windows .*fixed_windows:v1: give withoutDefaults: true/,
    );
  });
});
