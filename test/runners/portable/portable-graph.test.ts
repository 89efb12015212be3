/** What job servers are given: graphs that runners of other languages can take apart. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import {
  inEnvironment,
  withFinalizingStepsFirst,
  withPlayableTestStreams,
} from "../../../runners/portable/portable-graph.js";
import {
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { combinePerKey, registerCombineFn } from "../../../transforms/primitives/combine-per-key.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";

const SUM = registerCombineFn("test/portable-graph/sum@1", () => ({
  createAccumulator: () => 0,
  addInput: (sum: number, value: number) => sum + value,
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (sum: number) => sum,
}));

const NOTHING = registerDoFn("test/portable-graph/nothing@1", () => ({ process() {} }));

describe("a graph for job servers", () => {
  it("has every combine in the workers' environment, in which a runner that lifts it runs its parts", () => {
    const pipeline = new Pipeline();
    const input = new Root(pipeline).apply(withName("Impulse", impulse()));
    P(input as never).apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)));
    const { transforms, environments } = inEnvironment(graphProto(pipeline), {
      ...{ urn: "beam:env:external:v1", payload: new Uint8Array(), dependencies: [] },
    }).components!;
    const combines = Object.values(transforms).filter(
      ({ spec }) => spec?.urn === "beam:transform:combine_per_key:v1",
    );
    expect(combines).to.have.length(1);
    expect(environments[combines[0]!.environmentId]?.urn).to.equal("beam:env:external:v1");
  });

  it("has steps that finalize their bundles at the head of a stage of Prism, and others as they were", () => {
    const pipeline = new Pipeline();
    const input = new Root(pipeline).apply(withName("Impulse", impulse())) as PCollection<unknown>;
    for (const [name, requestsFinalization] of [
      ["Finalizes", true],
      ["Plain", false],
    ] as const) {
      P(input).apply(
        withName(name, registeredParDo<unknown, unknown>(NOTHING, null, { requestsFinalization })),
      );
    }
    const { transforms } = withFinalizingStepsFirst(graphProto(pipeline)).components!;
    const isFirst = (id: string) =>
      runnerApi.ParDoPayload.fromBinary(transforms[id]!.spec!.payload).requiresTimeSortedInput;
    expect([isFirst("Finalizes"), isFirst("Plain")]).to.deep.equal([true, false]);
  });

  it("has a TestStream of elements of ours as bytes with their length, which Java's runners can read", () => {
    const pipeline = new Pipeline();
    new Root(pipeline).apply(withName("Stream", testStream<string>().addElements("abc")));
    const before = graphProto(pipeline);
    const { transforms, coders, pcollections } = withPlayableTestStreams(before).components!;
    const payload = runnerApi.TestStreamPayload.fromBinary(transforms["Stream"]!.spec!.payload);
    const coder = coders[payload.coderId]!;
    expect(coder.spec?.urn).to.equal("beam:coder:length_prefix:v1");
    expect(coders[coder.componentCoderIds[0]!]?.spec?.urn).to.equal("beam:coder:bytes:v1");
    const [event] = payload.events;
    const [element] = event?.event.oneofKind === "elementEvent" ? event.event.elementEvent.elements : [];
    const own = runnerApi.TestStreamPayload.fromBinary(
      before.components!.transforms["Stream"]!.spec!.payload,
    );
    const ownEvent = own.events[0]!.event;
    const [ownElement] = ownEvent.oneofKind === "elementEvent" ? ownEvent.elementEvent.elements : [];
    const bytes = ownElement!.encodedElement;
    expect([...element!.encodedElement]).to.deep.equal([bytes.length, ...bytes]);
    expect(pcollections["Stream.main"]).to.deep.equal(before.components!.pcollections["Stream.main"]);
  });
});
