/** readDescriptor() of state, timers and side inputs. */
import "../../../../transforms/primitives/beam.js";
import { expect } from "chai";
import { readDescriptor } from "../../../../runners/harness/descriptor/stage-plan.js";
import { P, runnerApi, withName } from "../../../../transforms/primitives/beam.js";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { registeredParDo } from "../../../../transforms/primitives/par-do.js";
import { GLOBAL_WINDOW, IntervalWindow } from "../../../../transforms/primitives/window.js";
import { fixedWindows, registeredWindowFn } from "../../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../../transforms/primitives/window-into.js";
import { addSink, cutStage, graphOf } from "./descriptors.js";
import { keyed, LOOKUP, NAMED, NAMED_WINDOW, pass, STATEFUL, source } from "./stage-contents-fns.js";

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
