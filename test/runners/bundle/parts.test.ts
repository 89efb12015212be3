/** Parts of transforms that runners put into stages, over both hosts. */
import { createRequire } from "node:module";
import { expect } from "chai";
import type { Element } from "../../../runners/engine/element.js";
import type { PartStep } from "../../../runners/graph/translate.js";
import { runnerApi } from "../../../transforms/primitives/beam.js";
import {
  REGISTERED_COMBINE_FN_URN,
  registerCombineFn,
} from "../../../transforms/primitives/combine-per-key.js";
import type { SetupContext, SplittableDoFn } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import type { CombineFn } from "../../../transforms/primitives/state-spec.js";
import { GLOBAL_WINDOW_END_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import { GLOBAL_WINDOW } from "../../../transforms/primitives/window.js";
import { jsonPayload } from "../../../transforms/primitives/window-fn.js";
import { sessions } from "../../../transforms/primitives/window-fns.js";
import { HOSTS } from "./hosts.js";
import { Counting, type Range } from "./offset-range.js";
import { element, failureOf, processorOf, runBundle, window } from "./stages.js";

let registered = 0;

function partStep(part: PartStep["part"], path = "Part", input = "in"): PartStep {
  const transform = runnerApi.PTransform.create({ uniqueName: path });
  return { kind: "part", path, transform, part, input, outputs: new Map([["out", path]]) };
}

function restrictions(
  work: "pair" | "split" | "truncate",
  doFn: SplittableDoFn<string, Range, number, number>,
  path?: string,
  input?: string,
): PartStep {
  const fn = registerDoFn(`part-test-${registered++}`, () => doFn as SplittableDoFn);
  return partStep({ kind: "restriction", work, doFn: { kind: "registered", fn, config: null } }, path, input);
}

/** The sum of numbers, kept as text so that accumulators are unlike inputs and outputs. */
const summing: CombineFn<number, string, { sum: number }> = {
  createAccumulator: () => "0",
  addInput: (sum, input) => String(Number(sum) + input),
  mergeAccumulators: (sums) => String([...sums].reduce((sum, next) => sum + Number(next), 0)),
  extractOutput: (sum) => ({ sum: Number(sum) }),
};
const SUM = registerCombineFn("part-test/sum@1", () => summing);
const registeredSum = { urn: REGISTERED_COMBINE_FN_URN, payload: jsonPayload({ fn: SUM, config: null }) };

type CombineWork = "merge" | "extract" | "convert" | "combineGrouped";
const combine = (work: CombineWork, combineFn = registeredSum) =>
  partStep({ kind: "combine", work, combineFn });
const precombine = (
  timestampCombiner: "earliest" | "latest" | "end-of-window" = "end-of-window",
  combineFn = registeredSum,
) => partStep({ kind: "combine", work: "precombine", combineFn, timestampCombiner, keyId: String });

for (const kind of HOSTS) {
  describe(`parts in a BundleProcessor, ${kind.name}`, () => {
    /** What a bundle of elements makes of them, in the last step. */
    async function run(steps: readonly PartStep[], elements: readonly Element[]): Promise<Element[]> {
      const host = kind.create();
      const processor = await processorOf(host, ...steps);
      const scope = await runBundle(processor, host, [{ kind: "elements", root: "in", elements }]);
      expect(await processor.teardown()).to.deep.equal([]);
      return scope.emitted.get(steps.at(-1)!.path) ?? [];
    }
    const valuesOf = (elements: readonly Element[]) => elements.map(({ value }) => value);
    const textOf = (elements: readonly Element[]) =>
      elements.map(({ value, timestampMs, windows }) => {
        return `${JSON.stringify(value)} @${timestampMs} ${windows.map(({ id }) => id || "global").join(" ")}`;
      });

    it("pair gives each element its initial restriction and watermark state", async () => {
      const doFn = new Counting(
        {},
        { initialWatermarkState: (_, [from], timestampMs) => timestampMs + from },
      );
      const found = await run(
        [restrictions("pair", doFn)],
        [element("abc", { timestampMs: 7 }), element("")],
      );
      expect(textOf(found)).to.deep.equal([
        '{"key":"abc","value":{"key":[0,3],"value":7}} @7 global',
        '{"key":"","value":{"key":[0,0],"value":0}} @0 global',
      ]);
    });

    it("pair goes once for each window where the DoFn observes windows, else once for all", async () => {
      const inTwo = [element("a", { windows: [window(0), window(10)] })];
      const observing = restrictions("pair", new Counting({}, { observesWindows: true }));
      expect(textOf(await run([observing], inTwo))).to.deep.equal([
        '{"key":"a","value":{"key":[0,1]}} @0 0/10',
        '{"key":"a","value":{"key":[0,1]}} @0 10/20',
      ]);
      expect(textOf(await run([restrictions("pair", new Counting())], inTwo))).to.deep.equal([
        '{"key":"a","value":{"key":[0,1]}} @0 0/10 10/20',
      ]);
    });

    it("split sizes each part as restrictionSize says, with a watermark state of its own", async () => {
      const doFn = new Counting(
        {},
        {
          splitRestriction: (_, [from, to]) => [
            [from, 1],
            [1, to],
          ],
          restrictionSize: (_, [from, to]) => (to - from) * 100,
          initialWatermarkState: (_, [from], timestampMs) => timestampMs + from,
        },
      );
      const steps = [restrictions("pair", doFn, "Pair"), restrictions("split", doFn, "Split", "Pair")];
      expect(textOf(await run(steps, [element("abc", { timestampMs: 7 })]))).to.deep.equal([
        '{"key":{"key":"abc","value":{"key":[0,1],"value":7}},"value":100} @7 global',
        '{"key":{"key":"abc","value":{"key":[1,3],"value":8}},"value":200} @7 global',
      ]);
    });

    it("split sizes a whole restriction by its tracker's progress, and by 1 where there is none", async () => {
      const paired = [element({ key: "abc", value: { key: [0, 3], value: 5 } })];
      const sized = { key: { key: "abc", value: { key: [0, 3], value: 5 } }, value: 3 };
      expect(valuesOf(await run([restrictions("split", new Counting())], paired))).to.deep.equal([sized]);
      const silent = new Counting();
      const createTracker = silent.createTracker.bind(silent);
      silent.createTracker = (range) => Object.assign(createTracker(range), { progress: undefined });
      expect(valuesOf(await run([restrictions("split", silent)], paired))).to.deep.equal([
        { ...sized, value: 1 },
      ]);
    });

    it("truncate keeps what truncateRestriction gives, sized anew, and drops what it does not", async () => {
      const doFn = new Counting(
        {},
        { truncateRestriction: (_, [from, to]) => (from === 0 ? [from, to - 2] : undefined) },
      );
      const sized = (from: number) =>
        element({ key: { key: "abc", value: { key: [from, 3], value: 5 } }, value: 3 });
      expect(valuesOf(await run([restrictions("truncate", doFn)], [sized(0), sized(1)]))).to.deep.equal([
        { key: { key: "abc", value: { key: [0, 1], value: 5 } }, value: 1 },
      ]);
    });

    it("truncate without truncateRestriction fails, naming the step", async () => {
      const sized = element({ key: { key: "abc", value: { key: [0, 3], value: 5 } }, value: 3 });
      const error = await failureOf(run([restrictions("truncate", new Counting())], [sized]));
      expect(error.message).to.equal(
        'step "Part" failed in process: it has no truncateRestriction, and its stage does not say whether it is bounded',
      );
    });

    it("a size that is no number from 0 on fails", async () => {
      const doFn = new Counting({}, { restrictionSize: () => Number.NaN });
      const paired = element({ key: "abc", value: { key: [0, 3], value: 5 } });
      const error = await failureOf(run([restrictions("split", doFn)], [paired]));
      expect(error.message).to.equal(
        'step "Part" failed in process: the size of a restriction must be at least 0, got NaN',
      );
    });

    it("a restriction part runs setup and teardown of its DoFn, but not its bundles", async () => {
      const calls: string[] = [];
      const log = (call: string) => () => void calls.push(call);
      const setup = ({ step }: SetupContext) => void calls.push(`setup ${step}`);
      const bundles = { startBundle: log("startBundle"), finishBundle: log("finishBundle") };
      const doFn = new Counting({}, { setup, ...bundles, teardown: log("teardown") });
      await run([restrictions("pair", doFn)], [element("a")]);
      expect(calls).to.deep.equal(["setup Part", "teardown"]);
    });

    it("precombine makes one accumulator a key and window, at the end of the window", async () => {
      const add = (key: string, value: number, startMs: number) =>
        element({ key, value }, { windows: [window(startMs)], timestampMs: startMs + value });
      const elements = [add("a", 1, 0), add("b", 2, 0), add("a", 3, 0), add("a", 4, 10)];
      expect(textOf(await run([precombine()], elements))).to.deep.equal([
        '{"key":"a","value":"4"} @9 0/10',
        '{"key":"b","value":"2"} @9 0/10',
        '{"key":"a","value":"4"} @19 10/20',
      ]);
    });

    it("precombine takes the earliest or latest time where the windowing strategy says so", async () => {
      const elements = [3, 1, 2].map((n) => element({ key: "a", value: n }, { timestampMs: n }));
      const timesOf = async (step: PartStep) => (await run([step], elements)).map((e) => e.timestampMs);
      expect(await timesOf(precombine("earliest"))).to.deep.equal([1]);
      expect(await timesOf(precombine("latest"))).to.deep.equal([3]);
      expect(await timesOf(precombine())).to.deep.equal([GLOBAL_WINDOW_END_MS]);
    });

    it("precombine takes an element of several windows apart", async () => {
      const elements = [
        element({ key: "a", value: 1 }, { windows: [window(0), window(10)] }),
        element({ key: "a", value: 2 }, { windows: [window(10)] }),
      ];
      expect(textOf(await run([precombine()], elements))).to.deep.equal([
        '{"key":"a","value":"1"} @9 0/10',
        '{"key":"a","value":"3"} @19 10/20',
      ]);
    });

    it("precombine keeps no more than 10,000 accumulators: the oldest 1,000 leave before the end", async () => {
      const host = kind.create();
      const processor = await processorOf(host, precombine());
      const scope = host.newScope();
      await processor.startBundle(scope);
      const add = (keys: readonly number[]) =>
        processor.process({
          kind: "elements",
          root: "in",
          elements: keys.map((key) => element({ key, value: 1 })),
        });
      await add(Array.from({ length: 10_000 }, (_, key) => key));
      expect(scope.emitted.get("Part")).to.equal(undefined);
      await add([10_000]);
      const keys = () => scope.emitted.get("Part")!.map(({ value }) => (value as { key: number }).key);
      expect(keys()).to.deep.equal(Array.from({ length: 1000 }, (_, key) => key));
      await add([0, 9999]);
      await processor.finishBundle();
      const values = scope.emitted.get("Part")!.map(({ value }) => value as { key: number; value: string });
      expect(values.length).to.equal(10_002);
      expect(values.filter(({ key }) => key === 0)).to.deep.equal([
        { key: 0, value: "1" },
        { key: 0, value: "1" },
      ]);
      expect(values.filter(({ key }) => key === 9999)).to.deep.equal([{ key: 9999, value: "2" }]);
      const next = await runBundle(processor, host, []);
      expect([...next.emitted]).to.deep.equal([]);
    });

    it("merge, extract, convert and combineGrouped keep key, time and windows", async () => {
      const at = { timestampMs: 3, windows: [window(0), window(10)] };
      const run1 = async (work: CombineWork, value: unknown) =>
        textOf(await run([combine(work)], [element({ key: "a", value }, at)]));
      expect(await run1("merge", ["1", "2", "4"])).to.deep.equal(['{"key":"a","value":"7"} @3 0/10 10/20']);
      expect(await run1("extract", "7")).to.deep.equal(['{"key":"a","value":{"sum":7}} @3 0/10 10/20']);
      expect(await run1("convert", 7)).to.deep.equal(['{"key":"a","value":"7"} @3 0/10 10/20']);
      expect(await run1("combineGrouped", [1, 2, 4])).to.deep.equal([
        '{"key":"a","value":{"sum":7}} @3 0/10 10/20',
      ]);
    });

    it("a CombineFn that the SDK has serialised is run", async () => {
      const { serializeFn } = createRequire(import.meta.url)("apache-beam/internal/serialize") as {
        serializeFn(value: unknown): Uint8Array;
      };
      const combineFn = {
        createAccumulator: () => 0,
        addInput: (sum: number, n: number) => sum + n,
        mergeAccumulators: (sums: number[]) => sums.reduce((a, b) => a + b),
        extractOutput: (sum: number) => -sum,
      };
      const urn = "beam:dofn:serialized_js_combinefn_info:v1";
      const serialised = { urn, payload: serializeFn({ combineFn }) };
      const found = await run(
        [combine("combineGrouped", serialised)],
        [element({ key: "a", value: [1, 2] })],
      );
      expect(valuesOf(found)).to.deep.equal([{ key: "a", value: -3 }]);
    });

    it("a CombineFn that is not known is refused by name, before the first element", async () => {
      const unknown = { urn: "beam:combinefn:odd:v1", payload: new Uint8Array() };
      expect((await failureOf(processorOf(kind.create(), combine("merge", unknown)))).message).to.equal(
        'step "Part": its DoFn cannot be built: its CombineFn stands under "beam:combinefn:odd:v1", which is not known',
      );
      const missing = { ...registeredSum, payload: jsonPayload({ fn: "no-such@1", config: null }) };
      const error = await failureOf(processorOf(kind.create(), combine("merge", missing)));
      expect(error.message).to.match(
        /^step "Part": its DoFn cannot be built: no CombineFn is registered as "no-such@1"/,
      );
    });

    it("map windows answers with the mapped window of each", async () => {
      const step = partStep({ kind: "windows", work: "map", map: () => GLOBAL_WINDOW });
      expect(valuesOf(await run([step], [element({ key: 5, value: GLOBAL_WINDOW })]))).to.deep.equal([
        { key: 5, value: { ...GLOBAL_WINDOW } },
      ]);
    });
  });
}

describe("merge windows in a BundleProcessor", () => {
  it("answers with windows that stay, and with those that become one", async () => {
    const windowFn = sessions(10);
    const merge = (windows: readonly never[]) => windowFn.merge!(windows);
    const host = HOSTS[0]!.create();
    const processor = await processorOf(host, partStep({ kind: "windows", work: "merge", merge }));
    const windows = [window(0), window(5), window(5), window(30)];
    const elements = [element({ key: 5, value: windows })];
    const scope = await runBundle(processor, host, [{ kind: "elements", root: "in", elements }]);
    const [found] = scope.emitted.get("Part")!;
    const { key, value } = found!.value as {
      key: number;
      value: { key: { id: string }[]; value: { key: { id: string }; value: { id: string }[] }[] };
    };
    expect(key).to.equal(5);
    expect(value.key.map(({ id }) => id)).to.deep.equal(["30/40"]);
    expect(value.value.map((m) => [m.key.id, m.value.map(({ id }) => id)])).to.deep.equal([
      ["0/15", ["0/10", "5/15"]],
    ]);
  });
});
