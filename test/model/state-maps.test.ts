/** Scenarios of set and map state, whose reads a host may answer later. */
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { mapState, setState, valueState } from "../../transforms/primitives/state-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectInOrder, expectOutputs, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, kv } from "./support/sources.js";

/** Adds every value to a set; at the value 0 it emits the set in order. */
class DistinctFn implements DoFn<KV<string, number>> {
  readonly values = setState<number>();

  async process({ key, value }: KV<string, number>, context: ProcessContext): Promise<void> {
    const values = context.state(this.values);
    if (value !== 0) return values.add(value);
    context.output(
      kv(
        key,
        [...(await values.read())].sort((a, b) => a - b),
      ),
    );
  }
}

type Change = readonly ["put", unknown, unknown] | readonly ["remove", unknown] | readonly ["clear"];

/** Applies a change to a map, then emits all its entries as text, in order. */
class ChangedMapFn implements DoFn<KV<string, Change>> {
  readonly map = mapState<unknown, unknown>();

  async process({ value: [kind, key, value] }: KV<string, Change>, context: ProcessContext): Promise<void> {
    const map = context.state(this.map);
    if (kind === "put") map.put(key, value);
    else if (kind === "remove") map.remove(key);
    else map.clear();
    const entries = [...(await map.entries())].map((entry) => JSON.stringify(entry));
    context.output(entries.sort());
  }
}

scenariosOf("state", (it) => {
  it("a set keeps each value once", ["set state"], async () => {
    const input = [97, 42, 42, 12, 97, 0].map((value) => kv("a", value));
    const run = await runModel((root) =>
      elements(root, [...input, kv("b", 5), kv("b", 0)])
        .apply(parDo("Distinct", () => new DistinctFn()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", [12, 42, 97]), kv("b", [5])]);
  });

  it("a set knows what it contains, also what was just added or removed", ["set state"], async () => {
    const run = await runModel((root) => {
      const set = setState<string>();
      elements(root, [kv("a", "x"), kv("a", "y")])
        .apply(
          parDo("Contains", () => ({
            set,
            async process({ value }: KV<string, string>, context: ProcessContext) {
              const state = context.state(set);
              const before = await state.contains(value);
              state.add(value);
              const added = await state.contains(value);
              state.remove("x");
              context.output([before, added, await state.contains("x"), [...(await state.read())]]);
            },
          })),
        )
        .apply(collect("out"));
    });
    expectInOrder(run, "out", [
      [false, true, false, []],
      [false, true, false, ["y"]],
    ]);
  });

  it("a cleared set is empty", ["set state"], async () => {
    const run = await runModel((root) => {
      const set = setState<number>();
      elements(root, [kv("a", 1), kv("a", 2), kv("a", -1), kv("a", 3)])
        .apply(
          parDo("Clear", () => ({
            set,
            async process({ value }: KV<string, number>, context: ProcessContext) {
              const state = context.state(set);
              if (value < 0) state.clear();
              else state.add(value);
              context.output([...(await state.read())].sort());
            },
          })),
        )
        .apply(collect("out"));
    });
    expectInOrder(run, "out", [[1], [1, 2], [], [3]]);
  });

  it("a set of objects compares them by their encoding", ["set state", "coders"], async () => {
    const run = await runModel((root) => {
      const set = setState<{ id: number }>();
      elements(root, [kv("a", { id: 1 }), kv("a", { id: 2 }), kv("a", { id: 1 })])
        .apply(
          parDo("Distinct", () => ({
            set,
            async process({ value }: KV<string, { id: number }>, context: ProcessContext) {
              const state = context.state(set);
              state.add(value);
              context.output([...(await state.read())].map(({ id }) => id).sort());
            },
          })),
        )
        .apply(collect("out"));
    });
    expectInOrder(run, "out", [[1], [1, 2], [1, 2]]);
  });

  it("a map keeps one value a map key, and reads what was just written", ["map state"], async () => {
    const changes: Change[] = [
      ["put", "x", 1],
      ["put", "y", 2],
      ["put", "x", 3],
      ["remove", "y"],
      ["remove", "never there"],
      ["clear"],
      ["put", "z", 4],
    ];
    const run = await runModel((root) =>
      elements(
        root,
        changes.map((change) => kv("a", change)),
      )
        .apply(parDo("Change", () => new ChangedMapFn()))
        .apply(collect("out")),
    );
    expectInOrder(run, "out", [
      ['["x",1]'],
      ['["x",1]', '["y",2]'],
      ['["x",3]', '["y",2]'],
      ['["x",3]'],
      ['["x",3]'],
      [],
      ['["z",4]'],
    ]);
  });

  it("map keys are compared by their encoding", ["map state", "coders"], async () => {
    const changes: Change[] = [
      ["put", { id: 1 }, "a"],
      ["put", 1, "b"],
      ["put", "1", "c"],
      ["put", { id: 1 }, "d"],
    ];
    const run = await runModel((root) =>
      elements(
        root,
        changes.map((change) => kv("a", change)),
      )
        .apply(parDo("Change", () => new ChangedMapFn()))
        .apply(collect("out")),
    );
    expectInOrder(run, "out", [
      ['[{"id":1},"a"]'],
      ['[1,"b"]', '[{"id":1},"a"]'],
      ['["1","c"]', '[1,"b"]', '[{"id":1},"a"]'],
      ['["1","c"]', '[1,"b"]', '[{"id":1},"d"]'],
    ]);
  });

  it("a value is put into a map only where it is absent", ["map state"], async () => {
    const run = await runModel((root) => {
      const first = mapState<string, number>();
      elements(root, [kv("a", ["x", 1]), kv("a", ["x", 2]), kv("a", ["y", 3]), kv("b", ["x", 4])])
        .apply(
          parDo("First", () => ({
            first,
            async process(element: unknown, context: ProcessContext) {
              const { key, value } = element as KV<string, [string, number]>;
              const map = context.state(first);
              const known = await map.get(value[0]);
              if (known === undefined) map.put(...value);
              const keys = [...(await map.keys())].sort();
              context.output(kv(key, { before: known ?? "none", now: await map.get(value[0]), keys }));
            },
          })),
        )
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      kv("a", { before: "none", now: 1, keys: ["x"] }),
      kv("a", { before: 1, now: 1, keys: ["x"] }),
      kv("a", { before: "none", now: 3, keys: ["x", "y"] }),
      kv("b", { before: "none", now: 4, keys: ["x"] }),
    ]);
  });

  it(
    "several states of one DoFn do not touch each other",
    ["value state", "set state", "map state"],
    async () => {
      const run = await runModel((root) => {
        const count = valueState<number>();
        const set = setState<number>();
        const map = mapState<number, number>();
        elements(root, [kv("a", 5), kv("a", 5), kv("a", 6)])
          .apply(
            parDo("Several", () => ({
              count,
              set,
              map,
              async process({ value }: KV<string, number>, context: ProcessContext) {
                context.state(count).write((context.state(count).read() ?? 0) + 1);
                context.state(set).add(value);
                context.state(map).put(value, ((await context.state(map).get(value)) ?? 0) + 1);
                const sizes = [
                  [...(await context.state(set).read())].length,
                  await context.state(map).get(value),
                ];
                context.output([context.state(count).read(), ...sizes]);
              },
            })),
          )
          .apply(collect("out"));
      });
      expectInOrder(run, "out", [
        [1, 1, 1],
        [2, 1, 2],
        [3, 2, 1],
      ]);
    },
  );
});
