/** Side inputs over both hosts: every view, windows mapped and kept apart, loaded before the element. */
import { expect } from "chai";
import type { BundleInput } from "../../../runners/engine/bundle.js";
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import {
  iterableSideInput,
  mapSideInput,
  multimapSideInput,
  type SideInputSpec,
  singletonSideInput,
} from "../../../transforms/primitives/side-input-spec.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import { GLOBAL_WINDOW, type KV } from "../../../transforms/primitives/window.js";
import { HOSTS, type HostOptions, inProcess } from "./hosts.js";
import { element, failureOf, fn, item, keyed, parDo, processorOf, runBundle, window } from "./stages.js";

/** Emits what `read` makes of the element and the side input `side`. */
class Reading<Spec extends SideInputSpec> implements DoFn {
  readonly side: Spec;
  readonly #read: (context: ProcessContext, spec: Spec, value: unknown) => unknown;
  constructor(spec: Spec, read: (context: ProcessContext, spec: Spec, value: unknown) => unknown) {
    this.side = spec;
    this.#read = read;
  }
  process(value: unknown, context: ProcessContext) {
    const read = this.#read(context, this.side, value);
    return read instanceof Promise ? read.then((each) => [each]) : [read];
  }
}

const kv = (key: unknown, value: unknown): KV<unknown, unknown> => ({ key, value });
const inputs = (...values: unknown[]): BundleInput => ({
  kind: "elements",
  root: "S",
  elements: values.map((value) => element(value)),
});

for (const kind of HOSTS) {
  describe(`side inputs of a BundleProcessor, ${kind.name}`, () => {
    /** What the DoFn emits for elements of the global window; `side` holds these elements. */
    async function run(doFn: DoFn, side: readonly unknown[], ...values: unknown[]): Promise<unknown[]> {
      const host = kind.create({ sideInputs: { "S/side": { "": side } } });
      const processor = await processorOf(host, parDo("S", doFn));
      const scope = await runBundle(processor, host, [inputs(...values)]);
      return scope.values("S");
    }

    it("shows all elements of an iterable one", async () => {
      const doFn = new Reading(iterableSideInput<number>(), (context, spec, value) => [
        value,
        ...context.sideInput(spec),
      ]);
      expect(await run(doFn, [1, 2], "a", "b")).to.deep.equal([
        ["a", 1, 2],
        ["b", 1, 2],
      ]);
      expect(await run(doFn, [], "a")).to.deep.equal([["a"]]);
    });

    it("shows the one element of a singleton, or its default", async () => {
      const plain = new Reading(singletonSideInput<number>(), (context, spec) => context.sideInput(spec));
      const withDefault = new Reading(singletonSideInput(0), (context, spec) => context.sideInput(spec));
      expect(await run(plain, [7], "a")).to.deep.equal([7]);
      expect(await run(withDefault, [7], "a")).to.deep.equal([7]);
      expect(await run(withDefault, [], "a")).to.deep.equal([0]);
    });

    for (const [side, found] of [
      [[], "got 0 and no default"],
      [[1, 2], "got 2"],
    ] as const) {
      it(`refuses a singleton of ${side.length} elements`, async () => {
        const doFn = new Reading(singletonSideInput<number>(), (context, spec) => context.sideInput(spec));
        const error = await failureOf(run(doFn, side, "a"));
        expect(error.message).to.equal(
          `step "S" failed in process: singleton side input "side" must have one element, ${found}`,
        );
      });
    }

    it("shows all values of a key of a multimap, and its keys", async () => {
      const doFn = new Reading(multimapSideInput<string, number>(), async (context, spec, value) => {
        const view = context.sideInput(spec);
        return [[...(await view.get(value as string))], [...(await view.keys())]];
      });
      expect(await run(doFn, [kv("a", 1), kv("b", 2), kv("a", 3)], "a", "b", "c")).to.deep.equal([
        [
          [1, 3],
          ["a", "b"],
        ],
        [[2], ["a", "b"]],
        [[], ["a", "b"]],
      ]);
    });

    it("shows the one value of a key of a map, and nothing for a key that is not there", async () => {
      const doFn = new Reading(mapSideInput<string, number>(), async (context, spec, value) => {
        const view = context.sideInput(spec);
        return [(await view.get(value as string)) ?? "none", [...(await view.keys())].length];
      });
      expect(await run(doFn, [kv("a", 1), kv("b", 2)], "b", "c")).to.deep.equal([
        [2, 2],
        ["none", 2],
      ]);
    });

    it("refuses a key of a map that has several values", async () => {
      const doFn = new Reading(mapSideInput<string, number>(), async (context, spec) =>
        context.sideInput(spec).get("a"),
      );
      const error = await failureOf(run(doFn, [kv("a", 1), kv("a", 2)], "x"));
      expect(error.message).to.contain(`map side input "side" must have one value a key, got 2 of key 'a'`);
    });

    it("is read for each window of an element, which is called once for each", async () => {
      const doFn = new Reading(iterableSideInput<string>(), (context, spec, value) =>
        [value, ...context.sideInput(spec)].join(" "),
      );
      const side = { [window(0).id]: ["first"], [window(10).id]: ["second"] };
      const host = kind.create({ sideInputs: { "S/side": side } });
      const processor = await processorOf(host, parDo("S", doFn));
      const windows = [window(0), window(10), window(20)];
      const work = [element("a", { windows }), element("b", { windows: [window(10)] })];
      const scope = await runBundle(processor, host, [{ kind: "elements", root: "S", elements: work }]);
      const emitted = scope.emitted.get("S")!.map((each) => [each.value, each.windows.map(({ id }) => id)]);
      // in no order: what is loaded first runs first
      expect(emitted).to.have.deep.members([
        ["a first", ["0/10"]],
        ["a second", ["10/20"]],
        ["a", ["20/30"]],
        ["b second", ["10/20"]],
      ]);
    });

    it("is read in the window that the graph maps the element's to", async () => {
      const options: HostOptions = {
        sideInputs: { "S/side": { [GLOBAL_WINDOW.id]: ["all"] } },
        mapWindow: () => GLOBAL_WINDOW,
      };
      const host = kind.create(options);
      const doFn = new Reading(singletonSideInput<string>(), (context, spec) => context.sideInput(spec));
      const processor = await processorOf(host, parDo("S", doFn));
      const work = [0, 10].map((at) => element("a", { windows: [window(at)] }));
      const scope = await runBundle(processor, host, [{ kind: "elements", root: "S", elements: work }]);
      expect(scope.values("S")).to.deep.equal(["all", "all"]);
    });

    it("is there for a stateful DoFn, its timers and its expirations", async () => {
      class Priced implements DoFn<KV<string, number>> {
        readonly total = valueState<number>();
        readonly price = singletonSideInput<number>();
        process({ value }: KV<string, number>, context: ProcessContext) {
          const state = context.state(this.total);
          state.write((state.read() ?? 0) + value * context.sideInput(this.price));
        }
        onWindowExpiration(context: ProcessContext) {
          return [[context.state(this.total).read(), context.sideInput(this.price)]];
        }
      }
      const host = kind.create({ sideInputs: { "S/price": { [window(0).id]: [5] } } });
      const processor = await processorOf(host, parDo("S", new Priced()));
      const items = [item("a", 2, 0, window(0)), item("a", 3, 0, window(0))];
      const expiration = { kind: "expiration", window: window(0) } as const;
      const scope = await runBundle(processor, host, [keyed("S", "a", ...items, expiration)]);
      expect(scope.values("S")).to.deep.equal([[25, 5]]);
    });

    it("is read also behind another step of the stage", async () => {
      const doFn = new Reading(iterableSideInput<number>(), (context, spec, value) => [
        value,
        ...context.sideInput(spec),
      ]);
      const host = kind.create({ sideInputs: { "S/side": { "": [9] } } });
      const first = parDo(
        "First",
        fn<number>((value) => [value + 1]),
      );
      const processor = await processorOf(host, first, parDo("S", doFn, { input: "First" }));
      const work = { kind: "elements", root: "in", elements: [element(1), element(2)] } as const;
      const scope = await runBundle(processor, host, [work]);
      expect(scope.values("S")).to.deep.equal([
        [2, 9],
        [3, 9],
      ]);
    });

    it("refuses a side input that the graph does not have", async () => {
      const doFn = new Reading(iterableSideInput<number>(), () => 1);
      const step = { ...parDo("S", doFn), sideInputs: new Map([["other", "x"]]) };
      const error = await failureOf(processorOf(kind.create(), step));
      expect(error.message).to.equal(
        'step "S": its DoFn reads the side input "side", the graph has none of that name',
      );
    });
  });
}

describe("side inputs of a BundleProcessor, a host that has them at once", () => {
  it("creates no promise for an element, and asks for each window once a call", async () => {
    const host = inProcess.create({ sideInputs: { "S/side": { "": [1] } } });
    const asked: string[] = [];
    const load = (_step: string, name: string, of: { id: string }) => void asked.push(`${name}@${of.id}`);
    const sideInputs = { ...host.sideInputs!, load };
    const doFn = new Reading(iterableSideInput<number>(), (context, spec) => [...context.sideInput(spec)]);
    const processor = await processorOf({ ...host, sideInputs }, parDo("S", doFn));
    for (let bundle = 1; bundle <= 2; bundle++) {
      await processor.startBundle(host.newScope());
      expect(processor.process(inputs("a", "b", "c"))).to.equal(undefined);
      await processor.finishBundle();
      expect(asked).to.have.lengthOf(bundle);
    }
  });

  it("shows what has come since the last call of the same bundle", async () => {
    const contents: number[] = [1];
    const host = inProcess.create();
    const sideInputs = { ...host.sideInputs!, elements: () => [...contents] };
    const doFn = new Reading(iterableSideInput<number>(), (context, spec) => [...context.sideInput(spec)]);
    const processor = await processorOf({ ...host, sideInputs }, parDo("S", doFn));
    const scope = host.newScope();
    await processor.startBundle(scope);
    processor.process(inputs("a"));
    contents.push(2);
    processor.process(inputs("b"));
    await processor.finishBundle();
    expect(scope.values("S")).to.deep.equal([[1], [1, 2]]);
  });
});
