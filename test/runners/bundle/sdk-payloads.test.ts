/** Steps that the SDK has serialised into the graph, over both hosts: built by the SDK's own transforms, translated as ever. */
import { createRequire } from "node:module";
import { expect } from "chai";
import { BundleProcessor } from "../../../runners/bundle/bundle-processor.js";
import type { Element } from "../../../runners/engine/element.js";
import { type ExecutableStage, translate } from "../../../runners/graph/translate.js";
import {
  beam,
  impulse,
  type PCollection,
  Pipeline,
  Root,
  withName,
} from "../../../transforms/primitives/beam.js";
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../../transforms/primitives/timestamp-bounds.js";
import { GLOBAL_WINDOW, NO_FIRING } from "../../../transforms/primitives/window.js";
import { HOSTS, type HostOptions } from "./hosts.js";
import { element, failureOf, fn, parDo, runBundle, window } from "./stages.js";
import type { TestScope } from "./test-scope.js";

/** The SDK's 64-bit number; its package is one of the SDK's. */
interface Long {
  toString(): string;
}
const { fromNumber } = createRequire(import.meta.url)("long") as { fromNumber(value: number): Long };
// biome-ignore lint/suspicious/noExplicitAny: what a test applies has element types of its own
type Any = any;

/** The stage that ends with the step applied last; elements enter where the impulse's would. */
function stageFor(apply: (source: PCollection<Any>) => unknown): ExecutableStage {
  const pipeline = new Pipeline();
  const source = new Root(pipeline).apply(withName("Impulse", impulse())) as PCollection<Any>;
  apply(source);
  const { stages } = translate(pipeline.getProto());
  const stage = stages.at(-1)!;
  const made = stage.steps.flatMap((step) =>
    step.kind === "flatten" ? [step.output] : [...step.outputs.values()],
  );
  const read = new Set(stage.consumers.keys());
  return { ...stage, outputs: made.filter((id) => !read.has(id)) };
}

for (const kind of HOSTS) {
  describe(`the SDK's payloads in a BundleProcessor, ${kind.name}`, () => {
    /** Runs elements through what is applied to a source. */
    async function run(
      apply: (source: PCollection<Any>) => unknown,
      elements: readonly Element[],
      sideInputs: HostOptions["sideInputs"] = {},
    ): Promise<TestScope> {
      const host = kind.create({ sideInputs });
      const stage = stageFor(apply);
      const processor = await BundleProcessor.create(stage, host);
      return await runBundle(processor, host, [{ kind: "elements", root: stage.roots[0]!.id, elements }]);
    }

    const all = (...values: unknown[]) => values.map((value) => element(value));
    const emittedBy = (scope: TestScope): Element[] => [...scope.emitted.values()].flat();
    const valuesOf = (scope: TestScope) => emittedBy(scope).map(({ value }) => value);

    it("map and flatMap", async () => {
      const scope = await run(
        (source) =>
          source
            .map(withName("Twice", (x: number) => x * 2))
            .flatMap(withName("Pair", (x: number) => [x, -x]))
            .flatMap(
              withName("Thrice", function* (x: number) {
                yield x;
                yield `${x}`;
                yield [x];
              }),
            ),
        all(1, 2),
      );
      expect(valuesOf(scope)).to.deep.equal([2, -2, 4, -4].flatMap((x) => [x, `${x}`, [x]]));
    });

    it("a step that gives nothing", async () => {
      const scope = await run((source) => source.flatMap(withName("None", () => undefined as Any)), all(1));
      expect(valuesOf(scope)).to.deep.equal([]);
    });

    it("the elements of create", async () => {
      const host = kind.create();
      const pipeline = new Pipeline();
      new Root(pipeline).apply(withName("Create", beam.create(["a", { b: [1] }, 3], false)));
      const stage = translate(pipeline.getProto()).stages[0]!;
      const outputs = stage.steps.flatMap((step) =>
        step.kind === "parDo" ? [...step.outputs.values()] : [],
      );
      const processor = await BundleProcessor.create({ ...stage, outputs }, host);
      const root = stage.roots[0]!.id;
      const scope = await runBundle(processor, host, [
        { kind: "elements", root, elements: all(new Uint8Array()) },
      ]);
      expect(valuesOf(scope)).to.deep.equal(["a", { b: [1] }, 3]);
    });

    it("keep event time, windows and pane", async () => {
      const input = { ...element(1, { timestampMs: 7, windows: [window(0), window(5)] }), pane: NO_FIRING };
      const scope = await run((source) => source.map(withName("Same", (x: unknown) => x)), [input]);
      expect(emittedBy(scope)).to.deep.equal([input]);
    });

    it("a DoFn with window, timestamp and pane, once for each window", async () => {
      const params = { at: beam.timestampParam(), of: beam.windowParam(), pane: beam.paneInfoParam() };
      const tell = (x: unknown, context: Any) => {
        const of = context.of.lookup();
        const { timing, index, onTimeIndex } = context.pane.lookup();
        return `${x} at ${context.at.lookup()} in ${of.start}-${of.maxTimestamp()} ${timing} ${index} ${onTimeIndex}`;
      };
      const pane = {
        timing: "EARLY",
        isFirst: false,
        isLast: false,
        index: 2,
        nonSpeculativeIndex: -1,
      } as const;
      const input = { value: "a", timestampMs: 7, windows: [window(0), window(5)], pane };
      const scope = await run((source) => source.map(withName("Tell", tell), params), [input]);
      expect(
        emittedBy(scope).map(({ value, windows }) => [value, windows.map(({ id }) => id)]),
      ).to.deep.equal([
        ["a at 7 in 0-9 EARLY 2 -1", ["0/10"]],
        ["a at 7 in 5-14 EARLY 2 -1", ["5/15"]],
      ]);
    });

    it("see Beam's ends of time where ours are drawn in", async () => {
      const params = { at: beam.timestampParam(), of: beam.windowParam() };
      const tell = (_x: unknown, context: Any) => [
        `${context.at.lookup()}`,
        `${context.of.lookup().maxTimestamp()}`,
      ];
      const ends = [MIN_TIMESTAMP_MS, GLOBAL_WINDOW_END_MS, MAX_TIMESTAMP_MS];
      const scope = await run(
        (source) => source.map(withName("Tell", tell), params),
        ends.map((timestampMs) => element(1, { timestampMs })),
      );
      expect(valuesOf(scope)).to.deep.equal([
        ["-9223372036854775", "9223371950454775"],
        ["9223371950454775", "9223371950454775"],
        ["9223372036854775", "9223371950454775"],
      ]);
    });

    it("counters and distributions", async () => {
      const params = { seen: beam.counter("seen"), sizes: beam.distribution("sizes") };
      const count = (x: string, context: Any) => {
        context.seen.increment();
        context.seen.increment(2);
        context.sizes.update(x.length);
      };
      const scope = await run((source) => source.map(withName("Count", count), params), all("ab", "c"));
      expect(scope.counted).to.deep.equal([
        ...["map(Count).seen inc 1", "map(Count).seen inc 2", "map(Count).sizes update 2"],
        ...["map(Count).seen inc 1", "map(Count).seen inc 2", "map(Count).sizes update 1"],
      ]);
    });

    it("iterable and singleton side inputs", async () => {
      const join = (x: string, context: Any) => [x, [...context.all.lookup()].join(), context.one.lookup()];
      const scope = await run(
        (source) => {
          const side = source.map(withName("Side", (x: unknown) => x));
          const params = { all: beam.iterableSideInput(side), one: beam.singletonSideInput(side) };
          return source.map(withName("Join", join as Any), params as Any);
        },
        all("a", "b"),
        { "map(Join)/side.all": { "": [1, 2] }, "map(Join)/side.one": { "": ["only"] } },
      );
      expect(valuesOf(scope)).to.deep.equal([
        ["a", "1,2", "only"],
        ["b", "1,2", "only"],
      ]);
    });

    it("side inputs by the window of the element", async () => {
      const scope = await run(
        (source) => {
          const side = source.map(withName("Side", (x: unknown) => x));
          const get = (x: string, context: Any) => `${x}${context.side.lookup()}`;
          return source.map(withName("Get", get as Any), { side: beam.singletonSideInput(side) } as Any);
        },
        [0, 10, 0].map((at) => element("w", { windows: [window(at)] })),
        { "map(Get)/side.side": { "0/10": [1], "10/20": [2] } },
      );
      // in no order: what is loaded first runs first
      expect(valuesOf(scope)).to.have.members(["w1", "w2", "w1"]);
    });

    it("asynchronous functions: a promise, an async generator, and the promise that map yields", async () => {
      const scope = await run(
        (source) =>
          source
            .map(withName("Later", async (x: number) => x + 1))
            .flatMap(withName("Both", (async (x: number) => [x, -x]) as Any))
            .flatMap(
              withName("Drip", async function* (x: number) {
                yield x;
                yield 10 * x;
              } as Any),
            ),
        all(1, 2),
      );
      expect(valuesOf(scope)).to.have.members([2, 20, -2, -20, 3, 30, -3, -30]);
    });

    it("give each asynchronous call the parameters of its own element", async () => {
      const params = { at: beam.timestampParam() };
      const tell = async (x: unknown, context: Any) => {
        await Promise.resolve();
        return `${x} at ${context.at.lookup()}`;
      };
      const scope = await run(
        (source) => source.map(withName("Tell", tell), params),
        [1, 2, 3].map((at) => element("x", { timestampMs: at })),
      );
      expect(valuesOf(scope)).to.deep.equal(["x at 1", "x at 2", "x at 3"]);
    });

    it("startBundle and finishBundle, which gives windowed values with Long times", async () => {
      const scope = await run(
        (source) =>
          source.apply(
            withName(
              "Batch",
              beam.parDo({
                startBundle: function (this: Any) {
                  this.batch = [];
                },
                process: function (this: Any, element: unknown) {
                  this.batch.push(element);
                },
                finishBundle: function (this: Any) {
                  return this.batch.splice(0).map((value: Any) => ({
                    value: value.from.toNumber(),
                    timestamp: value.at,
                    windows: [{ start: value.from, end: value.at }],
                    pane: { timing: "LATE", index: 1, onTimeIndex: 1, isFirst: false, isLast: false },
                  }));
                },
              } as Any),
            ),
          ),
        all({ from: fromNumber(-10), at: fromNumber(5) }),
      );
      const pane = { timing: "LATE", isFirst: false, isLast: false, index: 1, nonSpeculativeIndex: 1 };
      const [output] = emittedBy(scope);
      expect([
        output!.value,
        output!.timestampMs,
        output!.windows.map(({ id }) => id),
        output!.pane,
      ]).to.deep.equal([-10, 5, ["-10/5"], pane]);
    });

    it("split, by tag", async () => {
      const apply = (source: PCollection<Any>) => source.apply(withName("Split", beam.split(["a", "b"])));
      const scope = await run(apply, all({ a: 1 }, { b: 2 }, { a: 3 }));
      expect([...scope.emitted.values()].map((each) => each.map(({ value }) => value))).to.deep.equal([
        [1, 3],
        [2],
      ]);
      for (const [value, message] of [
        [{ c: 1 }, `tag "c" of { c: 1 } is none of a, b`],
        [{ a: 1, b: 2 }, "an element must have exactly one tag, got { a: 1, b: 2 }"],
      ] as const) {
        const error = await failureOf(run(apply, all(value)));
        expect(error.message).to.equal(`step "Split" failed in process: ${message}`);
      }
    });

    it("split, by more than one tag, with unknown ones renamed or ignored", async () => {
      const input = all({ a: 1, x: 2 });
      for (const [options, expected] of [
        [{ exclusive: false, unknownTagBehavior: "ignore" }, [[1]]],
        [{ exclusive: false, unknownTagBehavior: "rename", unknownTagName: "rest" }, [[1], [2]]],
      ] as const) {
        const split = (source: PCollection<Any>) =>
          source.apply(withName("Split", beam.split(["a"], options as Any)));
        const scope = await run(split, input);
        expect([...scope.emitted.values()].map((each) => each.map(({ value }) => value))).to.deep.equal(
          expected,
        );
      }
    });

    it("partition", async () => {
      const scope = await run(
        (source) =>
          source.apply(
            withName(
              "Partition",
              beam.partition((x: number, n: number) => x % n, 2),
            ),
          ),
        all(1, 2, 3),
      );
      expect([...scope.emitted.values()].map((each) => each.map(({ value }) => value))).to.have.deep.members([
        [2],
        [1, 3],
      ]);
    });

    it("windowInto: right also before 1970, and once however many windows the element was in", async () => {
      const input = element("a", { timestampMs: -5_000, windows: [window(0), window(5)] });
      const ids = async (windowFn: Any) => {
        const scope = await run(
          (source) => source.apply(withName("Window", beam.windowInto(windowFn))),
          [input],
        );
        return emittedBy(scope).map(({ windows }) => windows.map(({ id }) => id));
      };
      expect(await ids(beam.fixedWindows(10))).to.deep.equal([["-10000/0"]]);
      expect((await ids(beam.slidingWindows(10, 5))).map((each) => each.sort())).to.deep.equal([
        ["-10000/0", "-5000/5000"],
      ]);
      expect(await ids(beam.sessions(10))).to.deep.equal([["-5000/5000"]]);
      expect(await ids(beam.globalWindows())).to.deep.equal([[GLOBAL_WINDOW.id]]);
    });

    it("assignTimestamps, with Long or plain numbers", async () => {
      const long = await run(
        (source) =>
          source.apply(
            withName(
              "Stamp",
              beam.assignTimestamps((_x: unknown, t: Any) => t.add(5)),
            ),
          ),
        [element("a", { timestampMs: 7 })],
      );
      const plain = await run(
        (source) =>
          source.apply(
            withName(
              "Stamp",
              beam.assignTimestamps((x: Any) => x),
            ),
          ),
        all(-12),
      );
      expect([...emittedBy(long), ...emittedBy(plain)].map(({ timestampMs }) => timestampMs)).to.deep.equal([
        12, -12,
      ]);
      const error = await failureOf(
        run(
          (source) => source.apply(withName("Stamp", beam.assignTimestamps((() => "noon") as Any))),
          all(1),
        ),
      );
      expect(error.message).to.equal(
        'step "Stamp" failed in process: an event time must be a Long or a number of ms, got noon',
      );
    });

    it("a combine, which is a GroupByKey and steps behind it here", async () => {
      const add = (a: number, b: number) => a + b;
      const scope = await run(
        (source) => source.apply(withName("Sum", beam.groupBy("k").combining("v", add as Any, "total"))),
        all({ key: "a", value: [[1], [2], [3], [4]] }),
      );
      expect(valuesOf(scope)).to.deep.equal([{ k: "a", total: 10 }]);
    });

    it("name the step that fails", async () => {
      const fail = (x: Any) => x.no.such;
      const error = await failureOf(run((source) => source.map(withName("Fail", fail)), all(1)));
      expect(error.message).to.contain('step "map(Fail)" failed in process: ');
    });

    it("say what a function may use when it uses what stands around it", async () => {
      const around = 5;
      const error = await failureOf(
        run((source) => source.map(withName("Add", (x: number) => x + around)), all(1)),
      );
      expect(error.message).to.equal(
        'step "map(Add)" failed in process: around is not defined (a function given to the SDK travels as its text, ' +
          "without what stands around it; give it that as its context, or register a DoFn)",
      );
    });

    it("fail the bundle though a DoFn before them has caught the error", async () => {
      const host = kind.create();
      const stage = stageFor((source) =>
        source.apply(
          withName(
            "Times",
            beam.assignTimestamps(() => "no" as Any),
          ),
        ),
      );
      const careless = fn((value, context) => {
        try {
          context.output(value);
        } catch {
          // it thinks that this is its own affair
        }
      });
      const root = stage.roots[0]!;
      const before = parDo("Careless", careless, { outputs: { main: root.collection } });
      const processor = await BundleProcessor.create(
        {
          ...stage,
          steps: [before, ...stage.steps],
          roots: [
            { ...root, id: "in", collection: "in", consumers: [{ ...root.consumers[0]!, step: before }] },
          ],
          consumers: new Map([...stage.consumers, [root.collection, root.consumers]]),
        },
        host,
      );
      const error = await failureOf(
        runBundle(processor, host, [{ kind: "elements", root: "in", elements: all(1) }]),
      );
      expect(error.message).to.match(/^step "Times" failed in process: an event time must be/);
    });

    it("are refused by name where the payload is not known", async () => {
      const stage = stageFor((source) => source.map(withName("Same", (x: unknown) => x)));
      const step = {
        ...stage.steps[0]!,
        doFn: { kind: "other", urn: "beam:dofn:x:v1", payload: new Uint8Array() },
      };
      const unknown = { ...stage, steps: [step] } as ExecutableStage;
      const error = await failureOf(BundleProcessor.create(unknown, kind.create()));
      expect(error.message).to.equal(
        'step "map(Same)" has a DoFn under "beam:dofn:x:v1", which cannot be built here',
      );
    });
  });
}
