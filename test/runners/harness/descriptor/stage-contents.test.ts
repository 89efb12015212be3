/** State, side inputs, restrictions and lifted combines of real graphs, cut into stages as runners do. */
import "../../../../transforms/primitives/beam.js";
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import { expect } from "chai";
import { BundleProcessor } from "../../../../runners/bundle/bundle-processor.js";
import { readDescriptor, type StagePlan } from "../../../../runners/harness/descriptor/stage-plan.js";
import {
  P,
  type PCollection,
  type Root,
  runnerApi,
  withName,
} from "../../../../transforms/primitives/beam.js";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { combinePerKey, registerCombineFn } from "../../../../transforms/primitives/combine-per-key.js";
import { create } from "../../../../transforms/primitives/create.js";
import type { DoFn, SplittableDoFn } from "../../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../../transforms/primitives/fn-registry.js";
import { registeredParDo, withKeyCoder } from "../../../../transforms/primitives/par-do.js";
import { iterableSideInput, mapSideInput } from "../../../../transforms/primitives/side-input-spec.js";
import { splittableParDo } from "../../../../transforms/primitives/splittable-par-do.js";
import {
  bagState,
  combiningState,
  mapState,
  setState,
  valueState,
} from "../../../../transforms/primitives/state-spec.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../transforms/primitives/timer-spec.js";
import { GLOBAL_WINDOW, IntervalWindow, type Window } from "../../../../transforms/primitives/window.js";
import {
  fixedWindows,
  registeredWindowFn,
  registerWindowFn,
  sessions,
} from "../../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../../transforms/primitives/window-into.js";
import { HOSTS } from "../../bundle/hosts.js";
import { Counting } from "../../bundle/offset-range.js";
import { element, runBundle } from "../../bundle/stages.js";
import { addSink, addSource, cutStage, graphOf } from "./descriptors.js";

type Pc = PCollection<unknown>;

const PASS = registerDoFn(
  "stage-contents/pass@1",
  (): DoFn => ({
    process: (value, context) => context.output(value),
  }),
);
const SUM = registerCombineFn("stage-contents/sum@1", () => ({
  createAccumulator: () => 0,
  addInput: (sum: number, n: number) => sum + n,
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (sum: number) => ({ sum }),
}));
const STATEFUL = registerDoFn("stage-contents/stateful@1", (): DoFn => {
  const fields = {
    value: valueState(),
    bag: bagState(),
    total: combiningState({
      createAccumulator: () => 0,
      addInput: (sum: number, n: number) => sum + n,
      mergeAccumulators: (sums: Iterable<number>) => [...sums][0]!,
      extractOutput: (sum: number) => sum,
    }),
    seen: setState(),
    byName: mapState(),
    alarm: eventTimeTimer(),
    poll: processingTimeTimer(),
  };
  return {
    ...fields,
    process: () => undefined,
    onTimer: () => undefined,
    onWindowExpiration: () => undefined,
  };
});
const LOOKUP = registerDoFn("stage-contents/lookup@1", (): DoFn => {
  return { all: iterableSideInput(), names: mapSideInput(), process: () => undefined } as DoFn;
});
const NAMED_WINDOW: Window = { id: "day", maxTimestampMs: 5 };
const NAMED = registerWindowFn("stage-contents/named@1", () => ({
  windowCoder: "custom" as const,
  assign: () => [NAMED_WINDOW],
}));
const READ = registerDoFn(
  "stage-contents/read@1",
  () =>
    new Counting(
      {},
      {
        splitRestriction: (_, [from, to]) => [
          [from, 1],
          [1, to],
        ],
        initialWatermarkState: (_, [from]) => from,
      },
    ) as unknown as SplittableDoFn,
);

const source = (root: Root, name = "Source"): Pc => root.apply(withName(name, create<unknown>([])));
const pass = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>(PASS, null)));
const keyed = (input: Pc): Pc => P(input).apply(withName("Keyed", withKeyCoder() as never)) as Pc;

/** Runs what a source of the stage gives, over the first of the test hosts. */
async function run(plan: StagePlan, root: string, values: readonly ReturnType<typeof element>[]) {
  const host = HOSTS[0]!.create();
  const processor = await BundleProcessor.create(plan.stage, host);
  const scope = await runBundle(processor, host, [{ kind: "elements", root, elements: values }]);
  await processor.teardown();
  return scope;
}

/** A transform in the place of another, on new PCollections. */
function put(
  descriptor: ProcessBundleDescriptor,
  id: string,
  urn: string,
  like: runnerApi.PTransform,
  [input, output]: readonly [string, string],
): void {
  const spec = { urn, payload: like.spec!.payload };
  descriptor.transforms[id] = runnerApi.PTransform.create({
    spec,
    inputs: { in: input },
    outputs: { out: output },
  });
}

describe("readDescriptor of stateful steps", () => {
  const graph = () =>
    graphOf((root) => {
      const windowed = P(source(root)).apply(
        withName("Days", windowInto<unknown>(fixedWindows(1000), { allowedLatenessMs: 77 })),
      );
      P(keyed(windowed)).apply(withName("Stateful", registeredParDo<unknown, unknown>(STATEFUL, null)));
    });

  it("readDescriptor() gives each state and timer its coder, the key's with the runner's length prefix", () => {
    const descriptor = cutStage(graph(), ["Stateful"]);
    const input = Object.values(descriptor.transforms.Stateful!.inputs)[0]!;
    const [key, value] = descriptor.coders[descriptor.pcollections[input]!.coderId]!.componentCoderIds;
    descriptor.coders.lp = runnerApi.Coder.create({
      spec: { urn: "beam:coder:length_prefix:v1" },
      componentCoderIds: [key!],
    });
    descriptor.coders.kvLp = runnerApi.Coder.create({
      spec: { urn: "beam:coder:kv:v1" },
      componentCoderIds: ["lp", value!],
    });
    descriptor.pcollections[input] = { ...descriptor.pcollections[input]!, coderId: "kvLp" };
    const plan = readDescriptor(descriptor);
    const stateful = plan.stateful.get("Stateful")!;
    expect(stateful.transformId).to.equal("Stateful");
    expect([...encodeToBytes(stateful.keyCoder, "a")]).to.deep.equal([3, 1, 83, 97]);
    expect([...encodeToBytes(stateful.windowCoder, new IntervalWindow(0, 1000))]).to.deep.equal([
      128, 0, 0, 0, 0, 0, 3, 232, 232, 7,
    ]);
    expect([...stateful.states].map(([name, { kind }]) => [name, kind])).to.have.deep.members([
      ["value", "bag"],
      ["bag", "bag"],
      ["total", "bag"],
      ["seen", "set"],
      ["byName", "map"],
    ]);
    expect([...stateful.timers].map(([family, { domain }]) => [family, domain])).to.have.deep.members([
      ["alarm", "event-time"],
      ["poll", "processing-time"],
      ["onWindowExpiration", "event-time"],
    ]);
    const timer = {
      userKey: "a",
      dynamicTimerTag: "t",
      windows: [new IntervalWindow(0, 1000)],
      clearBit: true as const,
    };
    const { coder } = stateful.timers.get("alarm")!;
    const carried = decodeFromBytes(coder, encodeToBytes(coder, timer));
    expect({ ...carried, windows: carried.windows.map(({ id }) => id) }).to.deep.equal({
      ...timer,
      windows: ["0/1000"],
    });
    expect(stateful.expirationFamily).to.equal("onWindowExpiration");
    expect(plan.stage.roots.map(({ id, kind }) => [id, kind])).to.deep.equal([["Stateful", "keyed"]]);
    expect(plan.stepFacts.get("Stateful")).to.deep.equal({ allowedLatenessMs: 77, isBounded: true });
  });

  it("readDescriptor() refuses a stateful step behind another, and one that shares its source", () => {
    const whole = graphOf((root) => {
      const input = keyed(source(root));
      pass("Other", input);
      P(input).apply(withName("Stateful", registeredParDo<unknown, unknown>(STATEFUL, null)));
    });
    const input = Object.values(whole.components!.transforms.Stateful!.inputs)[0]!;
    const producer = input.slice(0, input.lastIndexOf("."));
    expect(() => readDescriptor(cutStage(whole, [producer, "Stateful"]))).to.throw(
      `transform "Stateful" is stateful and must read from a data source, but reads "${input}" of its own stage`,
    );
    expect(() => readDescriptor(cutStage(whole, ["Stateful", "Other"]))).to.throw(
      `PCollection "${input}" goes to "Stateful", "Other", but a keyed transform must be alone behind it`,
    );
    const written = cutStage(whole, ["Stateful"]);
    addSink(written, input);
    expect(() => readDescriptor(written)).to.throw(
      `PCollection "${input}" goes to "Stateful", the runner, but a keyed transform must be alone behind it`,
    );
  });

  it("readDescriptor() refuses state or timers without a service for them", () => {
    const withoutState = cutStage(graph(), ["Stateful"]);
    delete withoutState.stateApiServiceDescriptor;
    expect(() => readDescriptor(withoutState)).to.throw(
      'transform "Stateful" has state, but the descriptor names no state service',
    );
    const withoutTimers = cutStage(graph(), ["Stateful"]);
    delete withoutTimers.timerApiServiceDescriptor;
    expect(() => readDescriptor(withoutTimers)).to.throw(
      'transform "Stateful" has timers, but the descriptor names no timer service',
    );
  });

  it("readDescriptor() encodes custom windows of state as the source does, with the runner's length prefix", () => {
    const descriptor = cutStage(
      graphOf((root) => {
        const named = P(source(root)).apply(
          withName("Named", windowInto<unknown>(registeredWindowFn(NAMED, null))),
        );
        P(keyed(named)).apply(withName("Stateful", registeredParDo<unknown, unknown>(STATEFUL, null)));
      }),
      ["Stateful"],
    );
    const input = Object.values(descriptor.transforms.Stateful!.inputs)[0]!;
    const strategy = descriptor.windowingStrategies[descriptor.pcollections[input]!.windowingStrategyId]!;
    const own = descriptor.coders[strategy.windowCoderId]!;
    descriptor.coders.lpWindow = runnerApi.Coder.create({
      spec: { urn: "beam:coder:length_prefix:v1" },
      componentCoderIds: own.componentCoderIds,
    });
    descriptor.coders.window = { ...own, componentCoderIds: ["lpWindow"] };
    descriptor.coders[`${input} on the wire`]!.componentCoderIds[1] = "window";
    const { windowCoder } = readDescriptor(descriptor).stateful.get("Stateful")!;
    mustBeLengthPrefixed(encodeToBytes(windowCoder, NAMED_WINDOW));
  });
});

/** The last event time, then the length of the rest, then the rest. */
function mustBeLengthPrefixed(bytes: Uint8Array): void {
  expect([...bytes.subarray(0, 8)]).to.deep.equal([128, 0, 0, 0, 0, 0, 0, 5]);
  expect(bytes[8]).to.equal(bytes.length - 9);
}

describe("readDescriptor of side inputs", () => {
  const graph = () =>
    graphOf((root) => {
      const main = P(source(root)).apply(withName("Windows", windowInto<unknown>(fixedWindows(1000))));
      const all = P(source(root, "All")).apply(withName("Longer", windowInto<unknown>(fixedWindows(5000))));
      const names = keyed(source(root, "Names"));
      P(pass("First", main)).apply(
        withName("Lookup", registeredParDo<unknown, unknown>(LOOKUP, null, { sideInputs: { all, names } })),
      );
    });

  it("readDescriptor() tells access, coders and windows of each, also of a step behind another", () => {
    const plan = readDescriptor(cutStage(graph(), ["Lookup", "First"]));
    expect(plan.stage.roots.map(({ id, kind }) => [id, kind])).to.deep.equal([["Windows.main", "elements"]]);
    expect(plan.stage.steps.map(({ path }) => path)).to.deep.equal(["First", "Lookup"]);
    const sides = plan.sideInputs.get("Lookup")!;
    expect([...sides.keys()]).to.have.members(["all", "names"]);
    const all = sides.get("all")!;
    expect([all.transformId, all.name, all.collection, all.access]).to.deep.equal([
      "Lookup",
      "all",
      "Longer.main",
      "iterable",
    ]);
    expect([all.keyCoder, all.valueCoder]).to.deep.equal([undefined, undefined]);
    expect(all.mapWindow(new IntervalWindow(6000, 7000)).id).to.equal("5000/10000");
    expect([...encodeToBytes(all.elementCoder, "a")]).to.deep.equal([1, 83, 97]);
    expect([...encodeToBytes(all.windowCoder, new IntervalWindow(0, 5000))]).to.deep.equal([
      128, 0, 0, 0, 0, 0, 19, 136, 136, 39,
    ]);
    const names = sides.get("names")!;
    expect(names.access).to.equal("multimap");
    expect(names.mapWindow(new IntervalWindow(6000, 7000))).to.equal(GLOBAL_WINDOW);
    expect([...encodeToBytes(names.keyCoder!, "a")]).to.deep.equal([1, 83, 97]);
    expect([...encodeToBytes(names.valueCoder!, null)]).to.deep.equal([1, 90]);
    expect([...encodeToBytes(names.windowCoder, GLOBAL_WINDOW)]).to.deep.equal([]);
    expect([...plan.stage.sideInputs]).to.have.members([all.collection, names.collection]);
  });

  it("readDescriptor() gives a step with side inputs that is alone behind its source a root of its own", () => {
    const plan = readDescriptor(cutStage(graph(), ["Lookup"]));
    expect(plan.stage.roots.map(({ id, collection }) => [id, collection])).to.deep.equal([
      ["Lookup", "First.main"],
    ]);
  });

  it("readDescriptor() puts the length that runners put before custom windows also where no port shows it", () => {
    const named = graphOf((root) => {
      const all = P(source(root, "All")).apply(
        withName("Named", windowInto<unknown>(registeredWindowFn(NAMED, null))),
      );
      const sideInputs = { all, names: keyed(source(root, "Names")) };
      P(source(root)).apply(
        withName("Lookup", registeredParDo<unknown, unknown>(LOOKUP, null, { sideInputs })),
      );
    });
    const { windowCoder } = readDescriptor(cutStage(named, ["Lookup"]))
      .sideInputs.get("Lookup")!
      .get("all")!;
    mustBeLengthPrefixed(encodeToBytes(windowCoder, NAMED_WINDOW));
  });

  it("readDescriptor() refuses an access pattern or a window mapping that is not known, and a missing service", () => {
    const changed = (change: (side: runnerApi.SideInput) => void) => {
      const descriptor = cutStage(graph(), ["Lookup"]);
      const { spec } = descriptor.transforms.Lookup!;
      const payload = runnerApi.ParDoPayload.fromBinary(spec!.payload);
      change(payload.sideInputs.all!);
      spec!.payload = runnerApi.ParDoPayload.toBinary(payload);
      return () => readDescriptor(descriptor);
    };
    expect(changed((side) => (side.accessPattern!.urn = "beam:side_input:odd:v1"))).to.throw(
      'transform "Lookup" (beam:transform:pardo:v1): side input "all" is read by the access pattern "beam:side_input:odd:v1"',
    );
    expect(changed((side) => (side.windowMappingFn!.urn = "beam:window_mapping_fn:odd:v1"))).to.throw(
      'transform "Lookup" (beam:transform:pardo:v1): window mapping function "beam:window_mapping_fn:odd:v1" is not known',
    );
    const withoutState = cutStage(graph(), ["Lookup"]);
    delete withoutState.stateApiServiceDescriptor;
    expect(() => readDescriptor(withoutState)).to.throw(
      'transform "Lookup" has side inputs, but the descriptor names no state service',
    );
  });
});

describe("readDescriptor of a splittable DoFn", () => {
  const graph = () =>
    graphOf((root) => {
      P(source(root)).apply(
        withName("Read", splittableParDo<unknown, unknown>(READ, null, { bounded: false })),
      );
    });

  /** The descriptor of what comes before the restrictions, or of what processes them. */
  function expanded(parts: "first" | "process"): ProcessBundleDescriptor {
    const descriptor = cutStage(graph(), ["Read"]);
    const { Read } = descriptor.transforms;
    const input = Object.values(Read!.inputs)[0]!;
    const output = Object.values(Read!.outputs)[0]!;
    const { restrictionCoderId } = runnerApi.ParDoPayload.fromBinary(Read!.spec!.payload);
    const collection = descriptor.pcollections[input]!;
    const { coders, pcollections, transforms } = descriptor;
    const kv = (...componentCoderIds: string[]) =>
      runnerApi.Coder.create({ spec: { urn: "beam:coder:kv:v1" }, componentCoderIds });
    coders.double = runnerApi.Coder.create({ spec: { urn: "beam:coder:double:v1" } });
    coders.paired = kv(collection.coderId, restrictionCoderId);
    coders.sized = kv("paired", "double");
    pcollections.paired = { ...collection, coderId: "paired" };
    pcollections.sized = { ...collection, coderId: "sized" };
    for (const id of Object.keys(transforms)) delete transforms[id];
    if (parts === "first") {
      put(descriptor, "Pair", "beam:transform:sdf_pair_with_restriction:v1", Read!, [input, "paired"]);
      put(descriptor, "Split", "beam:transform:sdf_split_and_size_restrictions:v1", Read!, [
        "paired",
        "sized",
      ]);
      addSource(descriptor, input);
      addSink(descriptor, "sized");
    } else {
      const urn = "beam:transform:sdf_process_sized_element_and_restrictions:v1";
      put(descriptor, "Process", urn, Read!, ["sized", output]);
      addSource(descriptor, "sized");
      addSink(descriptor, output);
    }
    return descriptor;
  }

  it("readDescriptor() runs pair and split, and the source that processes decodes what the sink has encoded", async () => {
    const first = readDescriptor(expanded("first"));
    const scope = await run(first, first.stage.roots[0]!.id, [element("abc")]);
    const process = readDescriptor(expanded("process"));
    const [sink] = first.sinks.get("sized")!;
    const { coder } = process.sources.get("read/sized")!;
    const carried = scope.emitted.get("sized")!.map((sized) => {
      return decodeFromBytes(coder, encodeToBytes(sink!.coder, sized)).value;
    });
    expect(carried).to.deep.equal([
      { key: { key: "abc", value: { key: [0, 1], value: 0 } }, value: 1 },
      { key: { key: "abc", value: { key: [1, 3], value: 1 } }, value: 2 },
    ]);
  });

  it("readDescriptor() makes the processing of restrictions a splittable root", () => {
    const plan = readDescriptor(expanded("process"));
    expect(plan.stage.roots.map(({ id, kind, collection }) => [id, kind, collection])).to.deep.equal([
      ["Process", "splittable", "sized"],
    ]);
    expect(plan.stepFacts.get("Process")).to.deep.equal({ allowedLatenessMs: 0, isBounded: false });
  });

  it("readDescriptor() refuses a splittable ParDo that is not taken apart", () => {
    expect(() => readDescriptor(cutStage(graph(), ["Read"]))).to.throw(
      'transform "Read" (beam:transform:pardo:v1): a splittable DoFn must come in parts, with sized restrictions',
    );
  });
});

describe("readDescriptor of a lifted combine", () => {
  it("readDescriptor() runs precombine, merge and extract of a graph's combine, in session windows", async () => {
    const graph = graphOf((root) => {
      const windowed = P(keyed(source(root))).apply(
        withName("Sessions", windowInto<unknown>(sessions(10), { timestampCombiner: "earliest" })),
      );
      P(windowed as never).apply(withName("Sum", combinePerKey<string, number, unknown>(SUM, null) as never));
    });
    const { transforms } = graph.components!;
    const [id, combine] = Object.entries(transforms).find(
      ([, { spec }]) => spec?.urn === "beam:transform:combine_per_key:v1",
    )!;
    const input = Object.values(combine.inputs)[0]!;
    const output = Object.values(combine.outputs)[0]!;
    const descriptor = cutStage(graph, []);
    const pcollection = descriptor.pcollections[input]!;
    for (const name of ["lifted", "grouped", "merged"]) descriptor.pcollections[name] = pcollection;
    const part = (name: string) => `beam:transform:combine_per_key_${name}:v1`;
    put(descriptor, `${id}/lift`, part("precombine"), combine, [input, "lifted"]);
    put(descriptor, `${id}/extract`, part("extract_outputs"), combine, ["merged", output]);
    put(descriptor, `${id}/merge`, part("merge_accumulators"), combine, ["grouped", "merged"]);
    for (const read of [input, "grouped"]) addSource(descriptor, read);
    for (const written of ["lifted", output]) addSink(descriptor, written);
    const plan = readDescriptor(descriptor);
    expect(plan.stage.steps.map(({ path }) => path)).to.deep.equal([
      `${id}/lift`,
      `${id}/merge`,
      `${id}/extract`,
    ]);

    const session = (startMs: number) => ({
      timestampMs: startMs,
      windows: [new IntervalWindow(startMs, startMs + 10)],
    });
    const lifted = await run(plan, input, [
      element({ key: "a", value: 1 }, session(3)),
      element({ key: "a", value: 2 }, session(3)),
      element({ key: "a", value: 4 }, session(5)),
      element({ key: "b", value: 8 }, session(3)),
    ]);
    const text = lifted.emitted.get("lifted")!.map(({ value, timestampMs, windows }) => {
      return `${JSON.stringify(value)} @${timestampMs} ${windows.map(({ id }) => id).join(" ")}`;
    });
    expect(text).to.deep.equal([
      '{"key":"a","value":3} @3 3/13',
      '{"key":"a","value":4} @5 5/15',
      '{"key":"b","value":8} @3 3/13',
    ]);
    const merged = await run(plan, "grouped", [element({ key: "a", value: [3, 4] }, session(3))]);
    expect(merged.emitted.get(output)!.map(({ value }) => value)).to.deep.equal([
      { key: "a", value: { sum: 7 } },
    ]);
  });
});

describe("readDescriptor of window questions", () => {
  /** A stage that answers for windows of one-second sessions. */
  function asking(urn: string, fn: runnerApi.FunctionSpec): ProcessBundleDescriptor {
    const descriptor = cutStage(
      graphOf((root) => pass("A", source(root))),
      ["A"],
    );
    const like = { spec: { urn, payload: runnerApi.FunctionSpec.toBinary(fn) } } as runnerApi.PTransform;
    const { inputs, outputs } = descriptor.transforms.A!;
    put(descriptor, "Ask", urn, like, [Object.values(inputs)[0]!, Object.values(outputs)[0]!]);
    delete descriptor.transforms.A;
    addSink(descriptor, "A.main");
    return descriptor;
  }
  const MAP = "beam:transform:map_windows:v1";
  const mapping = (name: string) => ({ urn: `beam:window_mapping_fn:${name}:v1`, payload: new Uint8Array() });

  it("readDescriptor() maps and merges windows by the function in the payload", async () => {
    const ask = async (urn: string, fn: runnerApi.FunctionSpec, value: unknown) => {
      const plan = readDescriptor(asking(urn, fn));
      const scope = await run(plan, plan.stage.roots[0]!.id, [element({ key: 1, value })]);
      return scope.emitted.get("A.main")![0]!.value as { key: number; value: never };
    };
    const interval = new IntervalWindow(0, 10);
    expect((await ask(MAP, mapping("global"), interval)).value).to.equal(GLOBAL_WINDOW);
    expect((await ask(MAP, mapping("identity"), interval)).value).to.equal(interval);
    const windows = [interval, new IntervalWindow(5, 15)];
    const MERGE = "beam:transform:merge_windows:v1";
    const { key, value } = await ask(MERGE, sessions(10).toProto(), windows);
    const { key: unmerged, value: merged } = value as {
      key: Window[];
      value: { key: Window; value: Window[] }[];
    };
    expect(key).to.equal(1);
    expect(unmerged).to.deep.equal([]);
    expect(merged.map((m) => [m.key.id, m.value.map(({ id }) => id)])).to.deep.equal([
      ["0/15", ["0/10", "5/15"]],
    ]);
    const fixed = await ask(MERGE, fixedWindows(10).toProto(), windows);
    expect(fixed.value).to.deep.equal({ key: windows, value: [] });
  });

  it("readDescriptor() refuses a mapping that depends on a window function which it is not told", () => {
    expect(() => readDescriptor(asking(MAP, mapping("assign_max_timestamp")))).to.throw(
      `transform "Ask" (${MAP}): window mapping function "beam:window_mapping_fn:assign_max_timestamp:v1" is not known`,
    );
  });
});
