/** Restrictions, lifted combines and window questions of real graphs, cut into stages as runners do. */
import "../../../../transforms/primitives/beam.js";
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import { expect } from "chai";
import { readDescriptor } from "../../../../runners/harness/descriptor/stage-plan.js";
import { P, runnerApi, withName } from "../../../../transforms/primitives/beam.js";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { combinePerKey } from "../../../../transforms/primitives/combine-per-key.js";
import { splittableParDo } from "../../../../transforms/primitives/splittable-par-do.js";
import { GLOBAL_WINDOW, IntervalWindow, type Window } from "../../../../transforms/primitives/window.js";
import { fixedWindows, sessions } from "../../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../../transforms/primitives/window-into.js";
import { element } from "../../bundle/stages.js";
import { addSink, addSource, cutStage, graphOf } from "./descriptors.js";
import { keyed, pass, put, READ, run, SUM, source } from "./stage-contents-fns.js";

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
