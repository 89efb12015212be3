/** The engine's graph of a plan: nodes in order, keys, windows, triggers, side inputs. */
import { expect } from "chai";
import type {
  EngineGraph,
  EngineNode,
  GroupByKeyNode,
  StageNode,
  TestStreamNode,
} from "../../../runners/engine/engine-graph.js";
import { toEngineGraph } from "../../../runners/graph/engine-graph.js";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { translate } from "../../../runners/graph/translate.js";
import { toTriggerSpec, toWindowingStrategy } from "../../../runners/graph/windowing-strategies.js";
import {
  beam,
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../../transforms/primitives/coders/scalar-coders.js";
import type { DoFn } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { reshuffle } from "../../../transforms/primitives/reshuffle.js";
import { iterableSideInput } from "../../../transforms/primitives/side-input-spec.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import { MIN_TIMESTAMP_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import {
  afterAll,
  afterCount,
  afterEach as afterEachOf,
  afterFirst,
  afterProcessingTime,
  afterWatermark,
  never,
  orFinally,
  repeatedly,
} from "../../../transforms/primitives/triggers.js";
import { GLOBAL_WINDOW, IntervalWindow, type KV } from "../../../transforms/primitives/window.js";
import { fixedWindows, sessions } from "../../../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../../../transforms/primitives/window-into.js";

type Pc = PCollection<unknown>;

class Latest implements DoFn<KV<string, number>> {
  readonly requiresTimeSortedInput = true;
  readonly last = valueState<number>();
  process(): void {}
  onWindowExpiration(): void {}
}
class Enrich implements DoFn {
  readonly rates = iterableSideInput<number>();
  process(): void {}
}
const LATEST = registerDoFn("test/engine-graph/latest@1", () => new Latest());
const ENRICH = registerDoFn("test/engine-graph/enrich@1", () => new Enrich());

const step = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>("fn@1", null)));
const window = (name: string, input: Pc, sizeMs: number, options?: WindowingOptions): Pc =>
  P(input).apply(withName(name, windowInto<unknown>(fixedWindows(sizeMs), options)));
const enrich = (name: string, input: Pc, rates: Pc): Pc =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>(ENRICH, null, { sideInputs: { rates } })));
const group = (name: string, input: Pc): Pc =>
  P(input as PCollection<KV<string, number>>).apply(withName(name, groupByKey<string, number>())) as Pc;

function engineGraph(build: (start: Pc, root: Root) => void): EngineGraph {
  const pipeline = new Pipeline();
  const root = new Root(pipeline);
  build(root.apply(withName("Impulse", impulse())) as Pc, root);
  return toEngineGraph(translate(graphProto(pipeline)));
}

function node<Kind extends EngineNode["kind"]>(
  graph: EngineGraph,
  kind: Kind,
  index = 0,
): EngineNode & { kind: Kind } {
  return graph.nodes.filter((n): n is EngineNode & { kind: Kind } => n.kind === kind)[index]!;
}

/** `kind id: inputs -> outputs`. */
function lines({ nodes }: EngineGraph): string[] {
  return nodes.map((n) => {
    if (n.kind === "stage") {
      const roots = n.roots.map(({ id, kind, input }) =>
        id === input ? `${kind} ${id}` : `${kind} ${id}<${input}`,
      );
      return `stage ${n.id}: ${roots.join(", ")} -> ${n.outputs.join(", ")}`;
    }
    const input = n.kind === "impulse" || n.kind === "testStream" ? "" : `${n.input} `;
    const outputs = n.kind === "testStream" ? [...n.outputs.values()] : [n.output];
    return `${n.kind} ${n.id}: ${input}-> ${outputs.join(", ")}`;
  });
}

describe("toEngineGraph", () => {
  it("toEngineGraph() puts producers before consumers, stages and runner steps alike", () => {
    const graph = engineGraph((start) => {
      const grouped = group("Group", step("Before", start));
      step("Last", P(step("Middle", grouped)).apply(withName("Shuffle", reshuffle<unknown>())));
    });
    expect(lines(graph)).to.deep.equal([
      "impulse Impulse: -> Impulse.main",
      "stage Before: elements Impulse.main -> Group/WithKeyCoder.main",
      "groupByKey Group/GroupByKey: Group/WithKeyCoder.main -> Group/GroupByKey.main",
      "stage Middle: elements Group/GroupByKey.main -> Middle.main",
      "redistribute Shuffle: Middle.main -> Shuffle.main",
      "stage Last: elements Shuffle.main -> ",
    ]);
  });

  it("toEngineGraph() gives an impulse one empty element in the global window", () => {
    const { element } = node(
      engineGraph(() => {}),
      "impulse",
    );
    expect(element).to.deep.equal({ value: new Uint8Array(), window: GLOBAL_WINDOW });
  });

  it("toEngineGraph() names the roots of splittable, stateful and side-input steps by the step", () => {
    const graph = engineGraph((start) => {
      const read = P(start).apply(
        withName("Read", splittableParDo<unknown, unknown>("read@1", null, { bounded: true })),
      );
      P(read).apply(withName("Latest", registeredParDo<unknown, unknown>(LATEST, null)));
      enrich("Enrich", step("Main", read), read);
      step("Other", start);
    });
    expect(lines(graph).filter((line) => line.startsWith("stage"))).to.deep.equal([
      "stage Read: splittable Read<Impulse.main -> Read.main, Latest/WithKeyCoder.main, Main.main",
      "stage Other: elements Impulse.main -> ",
      "stage Latest/ParDo: keyed Latest/ParDo<Latest/WithKeyCoder.main -> ",
      "stage Enrich: elements Enrich<Main.main -> ",
    ]);
  });

  it("toEngineGraph() tells of a stateful root its lateness, its expiration and its order", () => {
    const graph = engineGraph((start) => {
      const late = window("Window", start, 10, { allowedLatenessMs: 500 });
      P(late).apply(withName("Latest", registeredParDo<unknown, unknown>(LATEST, null)));
    });
    const { roots } = node(graph, "stage", 1) as StageNode;
    const { keyOf, ...rest } = roots[0]!.keyed!;
    expect(rest).to.deep.equal({ allowedLatenessMs: 500, hasExpirationCallback: true, isTimeSorted: true });
    expect(keyOf({ key: "a", value: 1 })).to.equal("a");
  });

  it("toEngineGraph() gives string keys themselves, others their encoding, and no two the same", () => {
    const graph = engineGraph((start) => group("Group", start));
    const { keyId } = node(graph, "groupByKey") as GroupByKeyNode;
    const keys = ["", "a", "1", "\u0001a", 1, 1.5, true, null, ["a"], { a: 1 }, { a: 2 }];
    expect(keyId("a")).to.equal("a");
    expect(keyId({ a: [1] })).to.equal(keyId({ a: [1] }));
    const ids = keys.map(keyId);
    expect(new Set(ids).size).to.equal(keys.length);
    for (const id of ids.slice(3)) expect(id.charCodeAt(0)).to.equal(1);
  });

  it("toEngineGraph() maps windows of side inputs: global, the same, or by the main window's end", () => {
    const graph = engineGraph((start) => {
      const main = window("Main", start, 10);
      enrich("Global", main, step("Rates", start));
      enrich("Same", main, window("Side", start, 10));
      enrich("Longer", main, window("Hours", start, 60, { allowedLatenessMs: 7 }));
    });
    const sides = graph.nodes.flatMap((n) =>
      n.kind === "stage" ? n.roots.flatMap((r) => r.sideInputs) : [],
    );
    const main = new IntervalWindow(70, 80);
    const found = sides.map((side) =>
      [side.step, side.name, side.collection, side.mapWindow(main).id, side.allowedLatenessMs].join(" "),
    );
    expect(found).to.deep.equal([
      `Global rates Rates.main  0`,
      `Same rates Side.main 70/80 0`,
      `Longer rates Hours.main 60/120 7`,
    ]);
    expect(sides.map(({ isTriggered }) => isTriggered)).to.deep.equal([false, false, false]);
  });

  it("toEngineGraph() tells which side inputs are triggered: those that may fire before their window's end", () => {
    const isTriggered = (trigger: runnerApi.Trigger) => {
      const graph = engineGraph((start) => {
        enrich("Read", start, window("Side", start, 10, { trigger, accumulation: "accumulating" }));
      });
      return (node(graph, "stage", 1) as StageNode).roots[0]!.sideInputs[0]!.isTriggered;
    };
    const count = afterCount(1);
    const end = afterWatermark();
    const early = [
      count,
      repeatedly(afterProcessingTime()),
      afterWatermark({ early: count }),
      afterFirst(end, count),
      afterEachOf(count, end),
      orFinally(repeatedly(end), count),
    ];
    const atTheEnd = [
      end,
      afterWatermark({ late: count }),
      afterAll(end, count),
      afterEachOf(end, repeatedly(count)),
      never(),
    ];
    expect(early.map(isTriggered)).to.deep.equal(early.map(() => true));
    expect(atTheEnd.map(isTriggered)).to.deep.equal(atTheEnd.map(() => false));
  });

  it("toEngineGraph() tells of each root the allowed lateness of its input", () => {
    const graph = engineGraph((start) => {
      const late = window("Late", start, 10, { allowedLatenessMs: 500 });
      enrich("Read", late, window("Side", start, 10));
    });
    const roots = graph.nodes.flatMap((n) => (n.kind === "stage" ? n.roots : []));
    expect(roots.map(({ id, allowedLatenessMs }) => `${id} ${allowedLatenessMs}`)).to.deep.equal([
      "Impulse.main 0",
      "Read 500",
    ]);
  });

  it("toEngineGraph() takes the grouping's strategy from its input", () => {
    const graph = engineGraph((start) => {
      const windowed = P(start).apply(
        withName(
          "Window",
          windowInto<unknown>(sessions(10), {
            trigger: afterCount(2),
            accumulation: "accumulating",
            timestampCombiner: "latest",
            allowedLatenessMs: 3,
          }),
        ),
      );
      group("Twice", group("Once", windowed));
    });
    const { windowFn, ...strategy } = (node(graph, "groupByKey") as GroupByKeyNode).strategy;
    expect(strategy).to.deep.equal({
      trigger: { kind: "after-count", count: 2 },
      accumulation: "accumulating",
      timestampCombiner: "latest",
      allowedLatenessMs: 3,
      closingBehavior: "emit-if-non-empty",
      onTimeBehavior: "fire-always",
    });
    const windows = [new IntervalWindow(0, 10), new IntervalWindow(5, 15)];
    expect(windowFn.merge(windows).map(({ merged }) => merged.id)).to.deep.equal(["0/15"]);
    expect(windows.map((of) => windowFn.startMsOf!(of))).to.deep.equal([0, 5]);
    const second = (node(graph, "groupByKey", 1) as GroupByKeyNode).strategy;
    expect([second.windowFn.isMerging, second.windowFn.merge(windows)]).to.deep.equal([false, []]);
    expect(second.trigger).to.deep.equal({ kind: "after-count", count: 1 });
  });

  it("toEngineGraph() plays a test stream's events with decoded elements", () => {
    const graph = engineGraph((_start, root) => {
      root.apply(
        withName(
          "Events",
          testStream<string>({ coder: new StringUtf8Coder() })
            .addElements("a", { value: "b", timestampMs: 5 })
            .advanceProcessingTime(9)
            .advanceWatermarkToInfinity(),
        ),
      );
    });
    const { outputs, events } = node(graph, "testStream") as TestStreamNode;
    expect([...outputs]).to.deep.equal([["main", "Events.main"]]);
    const at = (value: string, timestampMs: number) => ({ value, timestampMs, window: GLOBAL_WINDOW });
    expect(events).to.deep.equal([
      { kind: "elements", tag: "main", elements: [at("a", MIN_TIMESTAMP_MS), at("b", 5)] },
      { kind: "processing-time", advanceMs: 9 },
      { kind: "watermark", tag: "main", watermarkMs: 9223372036854774 },
    ]);
  });

  it("toEngineGraph() takes the SDK's own GroupBy, windows and side inputs", () => {
    const graph = engineGraph((start) => {
      const made = step("Make", start);
      made.map(
        withName("Enrich", (x: unknown) => x) as never,
        { rates: beam.iterableSideInput(made) } as never,
      );
      made
        .apply(withName("Window", beam.windowInto(beam.fixedWindows(60))))
        .apply(withName("ByKey", beam.groupBy("k") as never));
    });
    const { strategy } = node(graph, "groupByKey") as GroupByKeyNode;
    expect(strategy.closingBehavior).to.equal("emit-always");
    const sides = graph.nodes.flatMap((n) =>
      n.kind === "stage" ? n.roots.flatMap((r) => r.sideInputs) : [],
    );
    expect(sides.map(({ step: path, name, collection }) => [path, name, collection])).to.deep.equal([
      ["map(Enrich)", "side.rates", "Make.main"],
    ]);
  });

  it("toEngineGraph() names the step whose input cannot be read by key", () => {
    const pipeline = new Pipeline();
    P(step("Make", new Root(pipeline).apply(withName("Impulse", impulse())) as Pc)).apply(
      withName("Group", groupByKey() as never),
    );
    const proto = graphProto(pipeline);
    proto.components!.pcollections["Group/WithKeyCoder.main"]!.coderId =
      proto.components!.pcollections["Make.main"]!.coderId;
    expect(() => toEngineGraph(translate(proto))).to.throw(
      'step "Group/GroupByKey": PCollection "Group/WithKeyCoder.main" is read by key, ' +
        "so its coder must be beam:coder:kv:v1, got beam:coder:genericobjectjs:v1",
    );
  });
});

describe("toTriggerSpec", () => {
  it("toTriggerSpec() takes every trigger of Beam's", () => {
    const count = { kind: "after-count", count: 2 };
    const two = afterCount(2);
    const delay = afterProcessingTime({ delayMs: 5, alignToMs: 60 });
    const found = [
      afterWatermark(),
      afterWatermark({ early: delay, late: two }),
      repeatedly(two),
      afterEachOf(two, never()),
      afterFirst(two),
      afterAll(two),
      orFinally(two, two),
    ].map(toTriggerSpec);
    const transforms = [
      { kind: "delay", delayMs: 5 },
      { kind: "align", periodMs: 60, offsetMs: 0 },
    ];
    expect(found).to.deep.equal([
      { kind: "after-end-of-window" },
      { kind: "after-end-of-window", early: { kind: "after-processing-time", transforms }, late: count },
      { kind: "repeat", of: count },
      { kind: "after-each", of: [count, { kind: "never" }] },
      { kind: "after-first", of: [count] },
      { kind: "after-all", of: [count] },
      { kind: "or-finally", main: count, finally: count },
    ]);
    expect(toTriggerSpec(undefined)).to.deep.equal({ kind: "default" });
    expect(toTriggerSpec({ trigger: { oneofKind: "always", always: {} } })).to.deep.equal({ kind: "always" });
  });

  it("toTriggerSpec() refuses a trigger that lacks a part", () => {
    expect(() => toTriggerSpec({ trigger: { oneofKind: "repeat", repeat: {} } })).to.throw(
      "a trigger lacks the trigger that it is made of",
    );
  });

  it("toWindowingStrategy() refuses retracting panes, and allows no more lateness than there is time", () => {
    const strategy = runnerApi.WindowingStrategy.create({
      windowFn: fixedWindows(10).toProto(),
      allowedLateness: 2n ** 62n,
    });
    expect(toWindowingStrategy(strategy).allowedLatenessMs).to.equal(9223372036854774);
    strategy.accumulationMode = runnerApi.AccumulationMode_Enum.RETRACTING;
    expect(() => toWindowingStrategy(strategy)).to.throw("retracting panes are not known");
  });
});
