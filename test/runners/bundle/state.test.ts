/** Keyed state over both hosts: every kind of cell, loading and flushing, windows and keys apart. */
import { expect } from "chai";
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import {
  bagState,
  type CombineFn,
  combiningState,
  mapState,
  setState,
  valueState,
} from "../../../transforms/primitives/state-spec.js";
import { GLOBAL_WINDOW, type KV } from "../../../transforms/primitives/window.js";
import { HOSTS } from "./hosts.js";
import { failureOf, item, keyed, parDo, processorOf, runBundle, window } from "./stages.js";

/** Does with its state what each element says, and emits what comes of it. */
class Script<Cells extends object> implements DoFn<KV<string, string>> {
  readonly #act: (op: string, context: ProcessContext, self: this & Cells) => unknown;
  constructor(cells: Cells, act: (op: string, context: ProcessContext, self: Cells) => unknown) {
    Object.assign(this, cells);
    this.#act = act as never;
  }
  process({ value }: KV<string, string>, context: ProcessContext) {
    const done = this.#act(value, context, this as never);
    if (done instanceof Promise) return done.then((result) => [result]);
    return [done];
  }
}

const mean: CombineFn<number, number[], number> = {
  createAccumulator: () => [0, 0],
  addInput: ([sum = 0, count = 0], input) => [sum + input, count + 1],
  mergeAccumulators: (all) =>
    [...all].reduce(([a = 0, b = 0], [sum = 0, count = 0]) => [a + sum, b + count], [0, 0]),
  extractOutput: ([sum = 0, count = 0]) => (count === 0 ? 0 : sum / count),
};

for (const kind of HOSTS) {
  describe(`state of a BundleProcessor, ${kind.name}`, () => {
    /** What the operations give, one bundle a list. */
    async function run(doFn: DoFn<KV<string, string>>, ...bundles: string[][]): Promise<unknown[]> {
      const host = kind.create();
      const processor = await processorOf(host, parDo("S", doFn));
      const results: unknown[] = [];
      for (const ops of bundles) {
        const scope = await runBundle(processor, host, [keyed("S", "k", ...ops.map((op) => item("k", op)))]);
        results.push(...scope.values("S"));
      }
      return results;
    }

    it("keeps a value: read, write, clear, within a bundle and over bundles", async () => {
      const doFn = new Script({ cell: valueState<string>() }, (op, context, { cell }) => {
        const state = context.state(cell);
        if (op === "clear") state.clear();
        else if (op !== "read") state.write(op);
        return state.read() ?? "nothing";
      });
      expect(
        await run(doFn, ["read", "a", "b"], ["read", "clear", "read"], ["read", "c"], ["read"]),
      ).to.deep.equal([...["nothing", "a", "b"], ...["b", "nothing", "nothing"], ...["nothing", "c"], "c"]);
    });

    it("keeps a value that is false, zero or empty", async () => {
      const doFn = new Script({ cell: valueState<unknown>() }, (op, context, { cell }) => {
        if (op !== "read") context.state(cell).write(JSON.parse(op));
        return context.state(cell).read();
      });
      expect(await run(doFn, ["false"], ["read", "0"], ["read", '""'], ["read"])).to.deep.equal([
        ...[false, false],
        ...[0, 0],
        ...["", ""],
      ]);
    });

    it("keeps a bag in the order of adding, and shows what was there when it was read", async () => {
      const doFn = new Script({ bag: bagState<string>() }, (op, context, { bag }) => {
        const state = context.state(bag);
        const before = state.read();
        const wasEmpty = state.isEmpty();
        if (op === "clear") state.clear();
        else state.add(op);
        return `${[...before].join("")}→${[...state.read()].join("")} ${wasEmpty}`;
      });
      expect(await run(doFn, ["a", "b"], ["a", "clear"], ["c"])).to.deep.equal([
        ...["→a true", "a→ab false"],
        ...["ab→aba false", "aba→ false"],
        "→c true",
      ]);
    });

    it("keeps an accumulator that inputs are added to", async () => {
      const doFn = new Script({ mean: combiningState(mean) }, (op, context, self) => {
        const state = context.state(self.mean);
        const wasEmpty = state.isEmpty();
        if (op === "clear") state.clear();
        else state.add(Number(op));
        return `${state.read()} ${wasEmpty}`;
      });
      expect(await run(doFn, ["4", "2"], ["6", "clear"], ["1"])).to.deep.equal([
        ...["4 true", "3 false"],
        ...["4 false", "0 false"],
        "1 true",
      ]);
    });

    it("keeps a set of distinct values, compared by their encoding", async () => {
      const doFn = new Script({ seen: setState<unknown>() }, async (op, context, { seen }) => {
        const state = context.state(seen);
        const [verb, text = "null"] = op.split(" ");
        const value = JSON.parse(text) as unknown;
        if (verb === "add") state.add(value);
        if (verb === "remove") state.remove(value);
        if (verb === "clear") state.clear();
        const all = [...(await state.read())].map((each) => JSON.stringify(each)).sort();
        return `${await state.contains(value)} ${all.join(",")}`;
      });
      expect(
        await run(
          doFn,
          ["add 1", 'add "1"', "add 1", 'add {"a":[1]}'],
          ['has {"a":[1]}', 'has {"a":[2]}', "remove 1", "clear"],
          ['add "x"'],
        ),
      ).to.deep.equal([
        ...["true 1", 'true "1",1', 'true "1",1', 'true "1",1,{"a":[1]}'],
        ...['true "1",1,{"a":[1]}', 'false "1",1,{"a":[1]}', 'false "1",{"a":[1]}', "false "],
        'true "x"',
      ]);
    });

    it("keeps one value a key in a map, keys compared by their encoding", async () => {
      const doFn = new Script({ map: mapState<unknown, string>() }, async (op, context, { map }) => {
        const state = context.state(map);
        const [verb, text = "null", value = ""] = op.split(" ");
        const key = JSON.parse(text) as unknown;
        if (verb === "put") state.put(key, value);
        if (verb === "remove") state.remove(key);
        if (verb === "clear") state.clear();
        const keys = [...(await state.keys())].map((each) => JSON.stringify(each)).sort();
        const values = [...(await state.entries())].map(([, each]) => each).sort();
        return `${(await state.get(key)) ?? "none"} ${keys.join(",")} ${values.join("")}`;
      });
      expect(
        await run(
          doFn,
          ["put 1 a", 'put "1" b', "put 1 c"],
          ["get 1", "get 2", "remove 1"],
          ["clear", "get 1"],
        ),
      ).to.deep.equal([
        ...["a 1 a", 'b "1",1 ab', 'c "1",1 bc'],
        ...['c "1",1 bc', 'none "1",1 bc', 'none "1" b'],
        ...["none  ", "none  "],
      ]);
    });

    it("shows a map what was put just before, and what was removed just before", async () => {
      const doFn = new Script({ map: mapState<string, number>() }, async (_op, context, { map }) => {
        const state = context.state(map);
        const before = await state.get("n");
        state.put("n", (before ?? 0) + 1);
        const after = await state.get("n");
        state.remove("n");
        const gone = await state.get("n");
        state.put("n", after ?? 0);
        return [before ?? null, after, gone ?? null];
      });
      expect(await run(doFn, ["", ""], [""])).to.deep.equal([
        [null, 1, null],
        [1, 2, null],
        [2, 3, null],
      ]);
    });

    it("keeps states of one step apart by the names of their fields", async () => {
      const doFn = new Script(
        { one: valueState<string>(), two: valueState<string>() },
        (op, context, self) => {
          if (op.startsWith("1")) context.state(self.one).write(op);
          if (op.startsWith("2")) context.state(self.two).write(op);
          return `${context.state(self.one).read()} ${context.state(self.two).read()}`;
        },
      );
      expect(await run(doFn, ["1a", "2b", "1c"])).to.deep.equal(["1a undefined", "1a 2b", "1c 2b"]);
    });

    it("keeps state apart by step, key and window", async () => {
      const host = kind.create();
      const count = () =>
        new Script({ count: valueState<number>() }, (_op, context, self) => {
          const state = context.state(self.count);
          state.write((state.read() ?? 0) + 1);
          return `${context.key}@${context.window.id}: ${state.read()}`;
        });
      const processor = await processorOf(host, parDo("A", count()), parDo("B", count()));
      const items = (key: string) => [window(0), window(10), window(0)].map((w) => item(key, "", 0, w));
      const inputs = ["A", "B"].flatMap((root) => ["x", "y"].map((key) => keyed(root, key, ...items(key))));
      const scope = await runBundle(processor, host, inputs);
      for (const step of ["A", "B"]) {
        expect(scope.values(step)).to.deep.equal([
          ...["x@0/10: 1", "x@10/20: 1", "x@0/10: 2"],
          ...["y@0/10: 1", "y@10/20: 1", "y@0/10: 2"],
        ]);
      }
    });

    it("loads value, bag and combining cells of a batch at once, each key and window once", async () => {
      const host = kind.create();
      const cells = {
        value: valueState<number>(),
        bag: bagState<number>(),
        set: setState<number>(),
        map: mapState<number, number>(),
        mean: combiningState(mean),
      };
      const doFn = new Script(cells, (_op, context, self) => context.state(self.value).read() ?? 0);
      const processor = await processorOf(host, parDo("S", doFn));
      const work = (key: string) => ({
        keyId: key,
        key,
        items: [0, 10, 0].map((at) => item(key, "", 0, window(at))),
      });
      await runBundle(processor, host, [{ kind: "keyed", root: "S", keys: [work("a"), work("b")] }]);
      expect(host.loads).to.deep.equal(["S: a@0/10 a@10/20 b@0/10 b@10/20; value bag mean"]);
    });

    it("loads nothing for a step that has maps only", async () => {
      const host = kind.create();
      const doFn = new Script({ map: mapState<string, string>() }, () => "x");
      const processor = await processorOf(host, parDo("S", doFn));
      await runBundle(processor, host, [keyed("S", "k", item("k", ""))]);
      expect(host.loads).to.deep.equal([]);
    });

    it("reads what another processor of the same host has flushed", async () => {
      const host = kind.create();
      const step = () =>
        parDo(
          "S",
          new Script({ bag: bagState<string>() }, (op, context, { bag }) => {
            context.state(bag).add(op);
            return [...context.state(bag).read()].join("");
          }),
        );
      for (const [op, expected] of [
        ["a", "a"],
        ["b", "ab"],
      ] as const) {
        const processor = await processorOf(host, step());
        const scope = await runBundle(processor, host, [keyed("S", "k", item("k", op))]);
        expect(scope.values("S")).to.deep.equal([expected]);
      }
    });

    it("calls onWindowExpiration with the key, its state, and the end of the window as event time", async () => {
      class Total implements DoFn<KV<string, number>> {
        readonly bag = bagState<number>();
        process({ value }: KV<string, number>, context: ProcessContext): void {
          context.state(this.bag).add(value);
        }
        onWindowExpiration(context: ProcessContext) {
          return [`${context.key} ${[...context.state(this.bag).read()].join("+")} in ${context.window.id}`];
        }
      }
      const host = kind.create();
      const processor = await processorOf(host, parDo("Total", new Total()));
      const items = [item("a", 1, 3, window(0)), item("a", 2, 4, window(0))];
      const expiration = { kind: "expiration", window: window(0) } as const;
      const scope = await runBundle(processor, host, [keyed("Total", "a", ...items, expiration)]);
      const [emitted] = scope.emitted.get("Total")!;
      expect(emitted).to.deep.include({ value: "a 1+2 in 0/10", timestampMs: 9, windows: [window(0)] });
    });

    it("passes by the expiration of a DoFn that has no onWindowExpiration", async () => {
      const host = kind.create();
      const doFn = new Script({ cell: valueState<string>() }, () => "x");
      const processor = await processorOf(host, parDo("S", doFn));
      const scope = await runBundle(processor, host, [
        keyed("S", "k", { kind: "expiration", window: GLOBAL_WINDOW }),
      ]);
      expect([...scope.emitted]).to.deep.equal([]);
    });

    it("creates no promise for value, bag and combining state that is there", async () => {
      const host = kind.create();
      const doFn = new Script({ cell: valueState<number>() }, (_op, context, { cell }) => {
        const state = context.state(cell);
        state.write((state.read() ?? 0) + 1);
        return state.read();
      });
      const processor = await processorOf(host, parDo("S", doFn));
      const scope = host.newScope();
      await processor.startBundle(scope);
      const done = processor.process(keyed("S", "k", item("k", ""), item("k", "")));
      if (kind.name === "in-process host") expect(done).to.equal(undefined);
      await done;
      await processor.finishBundle();
      expect(scope.values("S")).to.deep.equal([1, 2]);
    });

    it("refuses a state that stands in no field", async () => {
      const other = valueState<string>();
      const doFn = new Script({ cell: valueState<string>() }, (_op, context) => context.state(other).read());
      const error = await failureOf(run(doFn, ["x"]));
      expect(error.message).to.equal(
        'step "S" failed in process: no field of the DoFn holds this value state',
      );
    });

    it("refuses a declaration that stands in two fields", async () => {
      const cell = valueState<string>();
      const doFn = new Script({ one: cell, two: cell }, () => "");
      expect(() => parDo("S", doFn)).to.throw('fields "one" and "two" hold the same declaration');
    });
  });
}
