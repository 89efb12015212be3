/** coGroupByKey on the direct runner: values of several inputs by key, window and pane, each under its own coder. */
import { expect } from "chai";
import { type CoGroups, coGroupByKey } from "../../transforms/co-group-by-key.js";
import { CoGroupCoder, UnionCoder } from "../../transforms/co-group-coders.js";
import { P, type Root, withName } from "../../transforms/primitives/beam.js";
import { decodeFromBytes, encodeToBytes } from "../../transforms/primitives/coders/encode.js";
import { GeneralObjectCoder } from "../../transforms/primitives/coders/general-object-coder.js";
import { StringUtf8Coder, VarIntCoder } from "../../transforms/primitives/coders/scalar-coders.js";
import { create } from "../../transforms/primitives/create.js";
import { coderFromJson, coderToJson, kvCoderId } from "../../transforms/primitives/graph-coders.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "../model/support/into.js";
import { mapping, parDo } from "../model/support/local-do-fn.js";
import { collect, expectElements, expectOutputs, runModel } from "../model/support/run-model.js";
import { at, elements, elementsAt, kv, streamed } from "../model/support/sources.js";
import { coderText, collectionOf, startGraph, transformNamed } from "./primitives/graph-under-test.js";

type Shop = { users: string; orders: number };

const users = (root: Root, ...pairs: KV<string, string>[]) => elements(root, pairs, "Users");
const orders = (root: Root, ...pairs: KV<string, number>[]) => elements(root, pairs, "Orders");

/** The groups, with values in a fixed order: theirs is nobody's promise. */
const sorted = () =>
  mapping<KV<string, CoGroups<Shop>>, unknown>("Sort", ({ key, value: { users, orders } }) => ({
    key,
    value: { users: [...users].sort(), orders: [...orders].sort((a, b) => a - b) },
  }));

const join = () => withName("Join", coGroupByKey<string, Shop>());

describe("coGroupByKey", () => {
  it("coGroupByKey() gives each key once, with the values of every input, empty where one has none", async () => {
    const run = await runModel((root) =>
      P({
        users: users(root, kv("a", "Ada"), kv("b", "Bob"), kv("a", "Anna")),
        orders: orders(root, kv("a", 2), kv("c", 3), kv("a", 1)),
      })
        .apply(join())
        .apply(sorted())
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [
      kv("a", { users: ["Ada", "Anna"], orders: [1, 2] }),
      kv("b", { users: ["Bob"], orders: [] }),
      kv("c", { users: [], orders: [3] }),
    ]);
  });

  it("coGroupByKey() gives nothing where no input has an element, and takes one input alone", async () => {
    const run = await runModel((root) => {
      P({ users: users(root), orders: orders(root) })
        .apply(join())
        .apply(collect("none"));
      P({ only: elements(root, [kv("a", 1)], "Only") })
        .apply(withName("One", coGroupByKey<string, { only: number }>()))
        .apply(collect("one"));
    });
    expectOutputs(run, "none", []);
    expectOutputs(run, "one", [kv("a", { only: [1] })]);
  });

  it("coGroupByKey() takes the same PCollection under two tags, and undefined and null for values", async () => {
    const run = await runModel((root) => {
      const values = elements(root, [kv("a", undefined), kv("a", null)]);
      return P({ left: values, right: values })
        .apply(withName("Join", coGroupByKey<string, { left: unknown; right: unknown }>()))
        .apply(collect("out"));
    });
    const [group, ...others] = run.values("out") as KV<string, Record<string, unknown[]>>[];
    expect(others).to.deep.equal([]);
    expect(group!.key).to.equal("a");
    expect(group!.value["left"]).to.have.members([undefined, null]);
    expect(group!.value["right"]).to.have.members([undefined, null]);
  });

  it("coGroupByKey() is by window", async () => {
    const run = await runModel((root) => {
      const windowed = <T>(name: string, pairs: readonly (readonly [KV<string, T>, number])[]) =>
        elementsAt(root, pairs, name).apply(into<KV<string, T>>(`${name} windows`, fixedWindows(10)));
      return P({
        users: windowed("Users", [
          [kv("a", "Ada"), 1],
          [kv("a", "Anna"), 11],
        ]),
        orders: windowed("Orders", [[kv("a", 7), 12]]),
      })
        .apply(join())
        .apply(collect("out"));
    });
    expectElements(run, "out", [
      { value: kv("a", { users: ["Ada"], orders: [] }), window: "0/10", timestampMs: 9 },
      { value: kv("a", { users: ["Anna"], orders: [7] }), window: "10/20", timestampMs: 19 },
    ]);
  });

  it("coGroupByKey() gives a late pane of what came late in any input", async () => {
    const run = await runModel((root) => {
      const all = streamed(
        root,
        testStream<KV<string, number>>()
          .addElements(at(1, kv("a", 1)), at(2, kv("a", 2)))
          .advanceWatermarkTo(12)
          .addElements(at(3, kv("a", 3)), at(4, kv("a", 4)))
          .advanceWatermarkToInfinity(),
      ).apply(into<KV<string, number>>("Window", fixedWindows(10), { allowedLatenessMs: 100 }));
      const only = (name: string, rest: number) =>
        all.apply(
          parDo<KV<string, number>, KV<string, number>>(name, () => ({
            process: (pair, context) => void (pair.value % 2 === rest && context.output(pair)),
          })),
        );
      return P({ odd: only("Odd", 1), even: only("Even", 0) })
        .apply(withName("Join", coGroupByKey<string, { odd: number; even: number }>()))
        .apply(collect("out"));
    });
    const [first, ...late] = run.collected("out");
    expect(first).to.deep.include({ value: kv("a", { odd: [1], even: [2] }) });
    expect(first!.pane.timing).to.equal("ON_TIME");
    expect(late.map(({ pane }) => pane.timing)).to.deep.equal(late.map(() => "LATE"));
    const values = late.map(
      ({ value }) => (value as KV<string, CoGroups<{ odd: number; even: number }>>).value,
    );
    expect(values.flatMap(({ odd }) => odd)).to.deep.equal([3]);
    expect(values.flatMap(({ even }) => even)).to.deep.equal([4]);
  });

  it("coGroupByKey() is a composite of ParDos, Flatten and GroupByKey that keeps the coders of its inputs", () => {
    const { pipeline, root } = startGraph();
    const keyed = (name: string, coderId: string) =>
      root.apply(
        withName(name, create([] as KV<string, never>[], { coder: pipeline.getCoder(coderId) as never })),
      );
    const text = pipeline.getCoderId(new StringUtf8Coder());
    const inputs = {
      users: keyed("Users", kvCoderId(pipeline, text, text)),
      orders: keyed("Orders", kvCoderId(pipeline, text, pipeline.getCoderId(new VarIntCoder()))),
    };
    const out = P(inputs).apply(join());
    expect(transformNamed(pipeline, "Join").spec!.urn).to.equal("millrace:transform:co_group_by_key:v1");
    const urns = ["Tag(users)", "Tag(orders)", "Flatten", "GroupByKey", "Untag"].map(
      (name) => transformNamed(pipeline, `Join/${name}`).spec!.urn,
    );
    expect(urns).to.deep.equal([
      "beam:transform:pardo:v1",
      "beam:transform:pardo:v1",
      "beam:transform:flatten:v1",
      "beam:transform:group_by_key:v1",
      "beam:transform:pardo:v1",
    ]);
    expect(coderText(pipeline, collectionOf(pipeline, out).coderId)).to.equal(
      "kv<string_utf8, millrace:coder:co_group<string_utf8, varint>>",
    );
    const tagged = transformNamed(pipeline, "Join/Tag(orders)").outputs["main"]!;
    expect(coderText(pipeline, pipeline.getProto().components!.pcollections[tagged]!.coderId)).to.equal(
      "kv<string_utf8, millrace:coder:union<string_utf8, varint>>",
    );
  });

  it("coGroupByKey() refuses keys under different coders, and windows that differ", () => {
    const { pipeline, root } = startGraph();
    const text = pipeline.getCoder(kvCoderId(pipeline, pipeline.getCoderId(new StringUtf8Coder())));
    const byText = root.apply(
      withName("Users", create([] as KV<string, string>[], { coder: text as never })),
    );
    expect(() => P({ users: byText, orders: orders(root, kv("a", 1)) }).apply(join())).to.throw(
      'the keys of coGroupByKey "Join" must have one coder, got users: beam:coder:string_utf8:v1, ' +
        "orders: beam:coder:genericobjectjs:v1",
    );
    const windowed = byText.apply(into<KV<string, string>>("Window", fixedWindows(10)));
    expect(() =>
      P({ a: byText, b: windowed }).apply(
        withName("Windows", coGroupByKey<string, { a: string; b: string }>()),
      ),
    ).to.throw(/flatten "Windows\/Flatten" has inputs of different windows/);
  });
});

describe("the coders of coGroupByKey", () => {
  it("carry a value under the coder of its place, and lists under those of their tags, and stand in a graph", () => {
    const union = new UnionCoder([new StringUtf8Coder(), new GeneralObjectCoder(), new VarIntCoder()]);
    for (const value of [
      { place: 0, value: "a" },
      { place: 1, value: undefined },
      { place: 2, value: 5 },
    ]) {
      expect(decodeFromBytes(union, encodeToBytes(union, value))).to.deep.equal(value);
    }
    const groups = new CoGroupCoder({ a: new VarIntCoder(), b: new StringUtf8Coder() });
    const value = { a: [1, 2], b: ["x"] };
    const { pipeline } = startGraph();
    const json = coderToJson(pipeline.getProto().components!.coders, pipeline.getCoderId(groups));
    expect(decodeFromBytes(coderFromJson(json), encodeToBytes(groups, value))).to.deep.equal(value);
  });

  it("say where a value is that they cannot carry", () => {
    const union = new UnionCoder([new VarIntCoder()]);
    expect(() => encodeToBytes(union, { place: 1, value: 5 })).to.throw("1 is none of 1 places");
    expect(() => encodeToBytes(union, { place: 0, value: "x" })).to.throw("value.value: must be an integer");
    expect(() => decodeFromBytes(union, Uint8Array.of(3, 0))).to.throw("there are 1 places, got place 3");
    const groups = new CoGroupCoder({ a: new VarIntCoder() });
    expect(() => encodeToBytes(groups, { a: ["x"] } as never)).to.throw("value.a[0]: must be an integer");
    expect(() => encodeToBytes(groups, {} as never)).to.throw("value.a: must be an iterable, got undefined");
    expect(() => encodeToBytes(groups, null as never)).to.throw("must be an object of lists, got null");
  });
});
