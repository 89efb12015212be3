/** top on the direct runner: which values are the first so many of an order, and in which order they come out. */
import { expect } from "chai";
import { registerComparison } from "../../transforms/ordering.js";
import { type PCollection, withName } from "../../transforms/primitives/beam.js";
import type { CombineFn } from "../../transforms/primitives/state-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { top } from "../../transforms/top.js";
import { topFn } from "../../transforms/top-fn.js";
import { into } from "../model/support/into.js";
import {
  collect,
  expectElements,
  expectOutputs,
  runModel,
  runToFailure,
} from "../model/support/run-model.js";
import { elements, elementsAt, kv } from "../model/support/sources.js";
import { coderText, collectionOf, startGraph } from "./primitives/graph-under-test.js";

type Sale = { readonly shop: string; readonly price: number };

const BY_LENGTH = registerComparison(
  "test/by-length@1",
  ({ sign }: { readonly sign: number }) =>
    (a: string, b: string) =>
      sign * (a.length - b.length),
);
const NAN = registerComparison("test/nan@1", (_: null) => () => Number.NaN);

const GENERAL = { urn: "beam:coder:genericobjectjs:v1", payload: "", components: [] };

describe("top", () => {
  it("top.largest() and top.smallest() give so many elements in order, or all where there are fewer", async () => {
    const run = await runModel((root) => {
      const numbers = elements(root, [3, 9, 1, 9, 4]);
      numbers.apply(withName("Largest", top.largest<number>(3))).apply(collect("largest"));
      numbers.apply(withName("Smallest", top.smallest<number>(2))).apply(collect("smallest"));
      numbers.apply(withName("All", top.largest<number>(10))).apply(collect("all"));
    });
    expectElements(run, "largest", [{ value: [9, 9, 4], window: "" }]);
    expectOutputs(run, "smallest", [[1, 3]]);
    expectOutputs(run, "all", [[9, 9, 4, 3, 1]]);
  });

  it("top gives [] for no element, nothing for none without defaults, and nothing for no key", async () => {
    const run = await runModel((root) => {
      const none = elements<number>(root, []);
      none.apply(withName("Default", top.largest<number>(3))).apply(collect("default"));
      none
        .apply(withName("Without", top.largest<number>(3, { withoutDefaults: true })))
        .apply(collect("without"));
      elements<KV<string, number>>(root, [], "No pairs")
        .apply(withName("By key", top.largestPerKey<string, number>(3)))
        .apply(collect("by key"));
    });
    expectOutputs(run, "default", [[]]);
    expectOutputs(run, "without", []);
    expectOutputs(run, "by key", []);
  });

  it("top.largestPerKey() and top.smallestPerKey() give them by key and window", async () => {
    const run = await runModel((root) => {
      const pairs = elementsAt(root, [
        [kv("a", 5), 1],
        [kv("a", 7), 2],
        [kv("b", 1), 3],
        [kv("a", 6), 4],
        [kv("a", 1), 15],
      ]).apply(into("Window", fixedWindows(10)));
      pairs.apply(withName("Largest", top.largestPerKey<string, number>(2))).apply(collect("largest"));
      pairs.apply(withName("Smallest", top.smallestPerKey<string, number>(2))).apply(collect("smallest"));
    });
    expectElements(run, "largest", [
      { value: kv("a", [7, 6]), window: "0/10", timestampMs: 9 },
      { value: kv("b", [1]), window: "0/10", timestampMs: 9 },
      { value: kv("a", [1]), window: "10/20", timestampMs: 19 },
    ]);
    expectElements(run, "smallest", [
      { value: kv("a", [5, 6]), window: "0/10" },
      { value: kv("b", [1]), window: "0/10" },
      { value: kv("a", [1]), window: "10/20" },
    ]);
  });

  it("top.of() and top.perKey() order by a field, ties by the whole value, however they come", async () => {
    const sales: readonly Sale[] = [
      { shop: "x", price: 5 },
      { shop: "z", price: 5 },
      { shop: "y", price: 5 },
      { shop: "w", price: 2 },
    ];
    for (const order of [sales, [...sales].reverse()]) {
      const run = await runModel((root) => {
        elements(root, order)
          .apply(withName("Top", top.of<Sale>(2, { field: "price" })))
          .apply(collect("out"));
        elements(
          root,
          order.map((sale) => kv("all", sale)),
          "Pairs",
        )
          .apply(withName("Smallest", top.smallestPerKey<string, Sale>(3, { field: "price" })))
          .apply(collect("smallest"));
      });
      expectOutputs(run, "out", [[sales[1], sales[2]]]);
      expectOutputs(run, "smallest", [kv("all", [sales[3], sales[0], sales[2]])]);
    }
  });

  it("top.of() and top.perKey() order by a registered comparison with its configuration", async () => {
    const words = ["ccc", "a", "bb", "dddd"];
    const run = await runModel((root) => {
      elements(root, words)
        .apply(withName("Longest", top.of<string>(2, { comparison: BY_LENGTH, config: { sign: 1 } })))
        .apply(collect("longest"));
      elements(
        root,
        words.map((word) => kv("k", word)),
        "Pairs",
      )
        .apply(
          withName(
            "Shortest",
            top.perKey<string, string>(2, { comparison: BY_LENGTH, config: { sign: -1 } }),
          ),
        )
        .apply(collect("shortest"));
    });
    expectOutputs(run, "longest", [["dddd", "ccc"]]);
    expectOutputs(run, "shortest", [kv("k", ["a", "bb"])]);
  });

  it("top keeps never more than it gives, and its output stays as it was when more is added", () => {
    const fn = topFn({ count: 3, order: {}, largest: true, coder: GENERAL }) as CombineFn<
      number,
      readonly number[],
      readonly number[]
    >;
    let accumulator = fn.createAccumulator();
    const outputs: (readonly number[])[] = [];
    for (let i = 0; i < 1000; i++) {
      accumulator = fn.addInput(accumulator, (i * 7919) % 1000);
      expect(accumulator.length).to.be.at.most(3);
      if (i === 1) outputs.push(fn.extractOutput(accumulator));
    }
    expect(outputs).to.deep.equal([[919, 0]]);
    expect(fn.extractOutput(accumulator)).to.deep.equal([999, 998, 997]);
    expect(fn.mergeAccumulators([[9, 4], [], [8, 7, 1]])).to.deep.equal([9, 8, 7]);
  });

  it("top gives lists under the coder of its input's values", () => {
    const { pipeline, root } = startGraph();
    const textOf = (out: PCollection<unknown>) => coderText(pipeline, collectionOf(pipeline, out).coderId);
    const all = elements(root, [1]).apply(withName("All", top.largest<number>(1)));
    expect(textOf(all)).to.equal("iterable<genericobjectjs>");
    const byKey = elements(root, [kv("a", 1)], "Pairs").apply(
      withName("By key", top.largestPerKey<string, number>(1)),
    );
    expect(textOf(byKey)).to.equal("kv<genericobjectjs, iterable<genericobjectjs>>");
  });

  for (const [what, build, message] of [
    [
      "a count of 0",
      () => top.largest(0),
      "count of top.largest must be a whole number of at least 1, got 0",
    ],
    [
      "a count that is not whole",
      () => top.perKey(1.5, {}),
      "count of top.perKey must be a whole number of at least 1, got 1.5",
    ],
    [
      "a field and a comparison",
      () => top.of(1, { field: "a", comparison: "b@1" }),
      'top.of is ordered by a field or by a comparison, got "a" and "b@1"',
    ],
    ["a field without a name", () => top.of(1, { field: "" }), 'field of top.of must be a name, got ""'],
    [
      "a configuration of no comparison",
      () => top.smallest(1, { config: 5 }),
      "config of top.smallest is that of a comparison, and must not stand without one",
    ],
  ] as const) {
    it(`top refuses ${what}`, () => {
      expect(build).to.throw(message);
    });
  }

  for (const [what, order, values, message] of [
    ["objects by themselves", {}, [{}, {}], /an object has no natural order: give a field or a comparison/],
    ["what has no fields", { field: "a" }, [1, 2], /ordered by field "a" must be an object, got/],
    ["what lacks the field", { field: "a" }, [{ b: 1 }, { b: 2 }], /undefined has no natural order/],
    ["values that are not alike", {}, [1, "1"], /have no order between them/],
    [
      "by a comparison that gives NaN",
      { comparison: NAN },
      [1, 2],
      /"test\/nan@1" must give a number, got NaN/,
    ],
    [
      "by a comparison that nobody registered",
      { comparison: "no@1" },
      [1],
      /no comparison is registered as "no@1"/,
    ],
  ] as const) {
    it(`top fails to order ${what}, and says so`, async () => {
      await runToFailure(
        (root) => elements<unknown>(root, values).apply(withName("Top", top.of<unknown>(1, order))),
        message,
      );
    });
  }
});
