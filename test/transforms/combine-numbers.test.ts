/** mean, sum, count, min and max, of all and by key, and what combineGlobally makes of no elements. */
import { expect } from "chai";
import {
  type CombineGloballyOptions,
  combineGlobally,
  type GloballyOptions,
} from "../../transforms/combine-globally.js";
import { count } from "../../transforms/count.js";
import { max, min } from "../../transforms/extremes.js";
import { mean } from "../../transforms/mean.js";
import { P, type PCollection, runnerApi, withName } from "../../transforms/primitives/beam.js";
import { StringUtf8Coder, VarIntCoder } from "../../transforms/primitives/coders/scalar-coders.js";
import { create } from "../../transforms/primitives/create.js";
import type { StepOf } from "../../transforms/primitives/par-do.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, afterWatermark, repeatedly } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows, sessions } from "../../transforms/primitives/window-fns.js";
import type { windowInto } from "../../transforms/primitives/window-into.js";
import { SUM_FN, sum } from "../../transforms/sum.js";
import { into } from "../model/support/into.js";
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

type Globally = (options?: GloballyOptions) => StepOf<PCollection<number>, PCollection<unknown>>;

/** Of [4, 1, 7], and of nothing. */
const globals: readonly (readonly [name: string, step: Globally, of417: unknown, ofNothing: unknown])[] = [
  ["mean", mean.globally, 4, Number.NaN],
  ["sum", sum.globally, 12, 0],
  ["count", count.globally, 3, 0],
  ["min", min.globally, 1, null],
  ["max", max.globally, 7, null],
];

const pairs = [kv("a", 4), kv("b", 10), kv("a", 1), kv("a", 7), kv("b", 20)];

const byKey: readonly (readonly [
  name: string,
  step: () => StepOf<PCollection<KV<string, number>>, PCollection<unknown>>,
  a: unknown,
  b: unknown,
])[] = [
  ["mean", mean.perKey, 4, 15],
  ["sum", sum.perKey, 12, 30],
  ["count", count.perKey, 3, 2],
  ["min", min.perKey, 1, 10],
  ["max", max.perKey, 7, 20],
];

describe("mean, sum, count, min, max", () => {
  for (const [name, globally, of417, ofNothing] of globals) {
    it(`${name}.globally() gives one value of all elements`, async () => {
      const run = await runModel((root) =>
        elements(root, [4, 1, 7]).apply(withName("All", globally())).apply(collect("out")),
      );
      expectElements(run, "out", [{ value: of417, window: "", timing: "ON_TIME" }]);
    });

    it(`${name}.globally() gives ${ofNothing} for no element, and nothing withoutDefaults`, async () => {
      const run = await runModel((root) => {
        const none = elements<number>(root, []);
        none.apply(withName("Default", globally())).apply(collect("default"));
        none.apply(withName("Nothing", globally({ withoutDefaults: true }))).apply(collect("nothing"));
      });
      expectOutputs(run, "default", [ofNothing]);
      expectOutputs(run, "nothing", []);
    });
  }

  for (const [name, perKey, a, b] of byKey) {
    it(`${name}.perKey() gives one value a key, and nothing for no key`, async () => {
      const run = await runModel((root) => {
        elements(root, pairs).apply(withName("ByKey", perKey())).apply(collect("out"));
        elements<KV<string, number>>(root, [], "None")
          .apply(withName("OfNone", perKey()))
          .apply(collect("none"));
      });
      expectOutputs(run, "out", [kv("a", a), kv("b", b)]);
      expectOutputs(run, "none", []);
    });
  }

  it("mean.perKey() combines by window, and gives none for a window without elements", async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        [kv("a", 1), 1],
        [kv("a", 2), 9],
        [kv("a", 9), 25],
      ])
        .apply(into("Window", fixedWindows(10)))
        .apply(withName("Mean", mean.perKey<string>()))
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", 1.5), window: "0/10", timestampMs: 9 },
      { value: kv("a", 9), window: "20/30", timestampMs: 29 },
    ]);
  });

  it("mean.globally() without defaults combines by window, sessions that merge too", async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        [1, 1],
        [2, 5],
        [9, 25],
      ])
        .apply(into("Window", sessions(10)))
        .apply(withName("Mean", mean.globally({ withoutDefaults: true })))
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: 1.5, window: "1/15" },
      { value: 9, window: "25/35" },
    ]);
  });

  it("sum.globally() without defaults gives a sum for each pane, late ones too", async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        testStream<number>()
          .addElements(at(1, 1), at(2, 2))
          .advanceWatermarkTo(12)
          .addElements(at(3, 4))
          .advanceWatermarkTo(30)
          .addElements(at(4, 8))
          .advanceWatermarkToInfinity(),
      )
        .apply(into("Window", fixedWindows(10), { allowedLatenessMs: 10 }))
        .apply(withName("Sum", sum.globally({ withoutDefaults: true })))
        .apply(collect("out")),
    );
    expectPanes(run, "out", [
      { value: 3, window: "0/10", timing: "ON_TIME" },
      { value: 4, window: "0/10", timing: "LATE" },
    ]);
  });

  it("count.globally() of an unbounded input gives its default at the end, and stays unbounded", async () => {
    const run = await runModel((root) =>
      streamed(root, testStream<number>().advanceWatermarkTo(5).advanceWatermarkToInfinity())
        .apply(withName("Count", count.globally<number>()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [0]);
    const { pipeline, root } = startGraph();
    const counted = P(streamed(root, testStream<number>())).apply(
      withName("Count", count.globally<number>()),
    );
    expect(collectionOf(pipeline, counted).isBounded).to.equal(runnerApi.IsBounded_Enum.UNBOUNDED);
  });

  it("count.perElement() counts elements of equal encoding", async () => {
    const run = await runModel((root) =>
      elements<unknown>(root, ["x", { b: 1, a: 2 }, "x", { a: 2, b: 1 }, 1, "1", "x"])
        .apply(withName("Count", count.perElement<unknown>()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("x", 3), kv({ a: 2, b: 1 }, 2), kv(1, 1), kv("1", 1)]);
  });

  it("min and max take strings, bigints, booleans and Dates, and put NaN above all numbers", async () => {
    const run = await runModel((root) => {
      const of = <T>(name: string, values: readonly T[]) => elements(root, values, name);
      of("strings", ["b", "a", "c"]).apply(withName("MaxS", max.globally<string>())).apply(collect("s"));
      of("bigints", [2n, 10n]).apply(withName("MaxB", max.globally<bigint>())).apply(collect("b"));
      of("booleans", [true, false]).apply(withName("MinT", min.globally<boolean>())).apply(collect("t"));
      of("dates", [new Date(5), new Date(3)])
        .apply(withName("MinD", min.globally<Date>()))
        .apply(collect("d"));
      of("numbers", [1, Number.NaN, 2]).apply(withName("MaxN", max.globally<number>())).apply(collect("n"));
      of("minima", [Number.NaN, 1]).apply(withName("MinN", min.globally<number>())).apply(collect("m"));
    });
    expect(["s", "b", "t", "d", "n", "m"].map((name) => run.values(name))).to.deep.equal([
      ["c"],
      [10n],
      [false],
      [new Date(3)],
      [Number.NaN],
      [1],
    ]);
  });

  it("min and max give nothing for an empty pane, and keep the coder of their input", async () => {
    const run = await runModel((root) => {
      const input = streamed(
        root,
        testStream<KV<string, number>>()
          .addElements(at(5, kv("a", 7)))
          .advanceWatermarkToInfinity(),
      ).apply(
        into("Window", fixedWindows(10), {
          trigger: afterWatermark({ early: afterCount(1) }),
          accumulation: "discarding",
        }),
      );
      input.apply(withName("Max", max.perKey<string, number>())).apply(collect("max"));
      input.apply(withName("Sum", sum.perKey<string>())).apply(collect("sum"));
    });
    expectPanes(run, "max", [{ value: kv("a", 7), timing: "EARLY" }]);
    expectPanes(run, "sum", [
      { value: kv("a", 7), timing: "EARLY" },
      { value: kv("a", 0), timing: "ON_TIME" },
    ]);
    const { pipeline, root } = startGraph();
    const texts = root.apply(withName("Texts", create(["a"], { coder: new StringUtf8Coder() })));
    const textOf = (out: PCollection<unknown>) => coderText(pipeline, collectionOf(pipeline, out).coderId);
    expect(textOf(texts.apply(withName("Min", min.globally<string>())))).to.equal("nullable<string_utf8>");
    const without = min.globally<string>({ withoutDefaults: true });
    expect(textOf(texts.apply(withName("Without", without)))).to.equal("string_utf8");
  });

  for (const [what, step, values, message] of [
    ["mean of a string", mean.globally(), ["1"], /mean must be given numbers, got the string "1"/],
    ["sum of a bigint", sum.globally(), [1n], /sum must be given numbers, got 1n/],
    ["max of two kinds", max.globally(), [1, "a"], /1 and the string "a"|the string "a" and 1/],
    ["min of objects", min.globally(), [{ a: 1 }, { a: 2 }], /an object has no natural order/],
  ] as const) {
    it(`${what} fails and says what it was given`, async () => {
      await runToFailure(
        (root) =>
          elements<unknown>(root, values).apply(
            withName("All", step as unknown as StepOf<PCollection<unknown>, PCollection<unknown>>),
          ),
        message,
      );
    });
  }
});

describe("combineGlobally", () => {
  const build = (...how: Parameters<typeof windowInto>) => {
    const { root } = startGraph();
    const windowed = elements(root, [1]).apply(into<number>("Window", ...how));
    return () => windowed.apply(withName("Sum", combineGlobally<number, number>(SUM_FN, null)));
  };

  for (const [what, how, got] of [
    ["other windows", [fixedWindows(10)], "the windows beam:window_fn:fixed_windows:v1"],
    [
      "another trigger",
      [globalWindows(), { trigger: repeatedly(afterCount(1)), accumulation: "discarding" }],
      'the trigger "repeat"',
    ],
    [
      "another timestampCombiner",
      [globalWindows(), { timestampCombiner: "latest" }],
      "another timestampCombiner",
    ],
  ] as [string, Parameters<typeof windowInto>, string][]) {
    it(`combineGlobally() has no default in ${what}, and says so while the graph is built`, () => {
      expect(build(...how)).to.throw(
        `combining globally with "${SUM_FN}" has a default for no elements only in the global window with the ` +
          `default trigger and timestampCombiner, got ${got}: give withoutDefaults: true`,
      );
    });
  }

  it("combineGlobally() gives its outputs the coder that it was given, else the general one", () => {
    const { pipeline, root } = startGraph();
    const coderOf = (name: string, options: CombineGloballyOptions) => {
      const out = elements(root, [1], `Create ${name}`).apply(
        withName(name, combineGlobally<number, number>(SUM_FN, null, options)),
      );
      return coderText(pipeline, collectionOf(pipeline, out).coderId);
    };
    expect(coderOf("Given", { coders: { output: new VarIntCoder() } })).to.equal("varint");
    expect(coderOf("General", {})).to.equal("genericobjectjs");
  });

  it("combineGlobally() refuses a CombineFn that is not registered, when it runs", async () => {
    await runToFailure(
      (root) => elements(root, [1]).apply(withName("Nobody", combineGlobally("nobody@1", null))),
      /no CombineFn is registered as "nobody@1"/,
    );
  });
});
