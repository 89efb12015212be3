/** The final proto: stable ids, the same bytes each time. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { renderGraph } from "../../../runners/graph/render.js";
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
import { flattenAll } from "../../../transforms/primitives/flatten-all.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";

const step = <Out>(name: string, input: PCollection<unknown>): PCollection<Out> =>
  P(input).apply(withName(name, registeredParDo<unknown, Out>("fn@1", null)));

function build(more: readonly string[] = []): Pipeline {
  const pipeline = new Pipeline();
  const input = new Root(pipeline).apply(withName("Impulse", impulse()));
  const options = { bounded: false, requestsFinalization: true };
  const read = P(input).apply(withName("Read", splittableParDo<unknown, string>("read@1", null, options)));
  for (const name of more) step(name, read);
  const both = [step<string>("A", read), step<string>("B", read)];
  P(both).apply(withName("All", flattenAll<string>()));
  return pipeline;
}

const json = (pipeline: Pipeline) => renderGraph(graphProto(pipeline), "json");

describe("graphProto", () => {
  it("graphProto() names transforms and PCollections by step path and tag", () => {
    const { components, rootTransformIds } = graphProto(build());
    expect(rootTransformIds).to.deep.equal(["Impulse", "Read", "A", "B", "All"]);
    expect(Object.keys(components!.pcollections)).to.deep.equal([
      "Impulse.main",
      "Read.main",
      "A.main",
      "B.main",
      "All.main",
    ]);
    expect(components!.transforms["All"]!.inputs).to.deep.equal({ "0": "A.main", "1": "B.main" });
    for (const [id, { uniqueName }] of Object.entries(components!.pcollections))
      expect(uniqueName).to.equal(id);
  });

  it("graphProto() gives composites, subtransforms and their PCollections the names of the leaves", () => {
    const pipeline = new Pipeline();
    const input = new Root(pipeline).apply(withName("Impulse", impulse()));
    input.apply(withName("Outer", (pc: PCollection<unknown>) => step("Inner", pc)));
    const outer = graphProto(pipeline).components!.transforms["Outer"]!;
    expect(outer.subtransforms).to.deep.equal(["Outer/Inner"]);
    expect(outer.outputs).to.deep.equal({ main: "Outer/Inner.main" });
  });

  it("graphProto() of the same graph built twice is byte for byte the same", () => {
    const [a, b] = [build(), build()].map((pipeline) => runnerApi.Pipeline.toBinary(graphProto(pipeline)));
    expect(Buffer.compare(a!, b!)).to.equal(0);
    expect(json(build())).to.equal(json(build()));
  });

  it("graphProto() does not change the pipeline, so it may be asked again", () => {
    const pipeline = build();
    expect(json(pipeline)).to.equal(json(pipeline));
  });

  it("graphProto() keeps the ids of other steps when a step is added", () => {
    const ids = (pipeline: Pipeline) => Object.keys(graphProto(pipeline).components!.pcollections);
    expect(ids(build(["New"]))).to.include.members(ids(build()));
  });

  it("graphProto() lists each requirement once, in order", () => {
    expect(graphProto(build()).requirements).to.deep.equal([
      "beam:requirement:pardo:finalization:v1",
      "beam:requirement:pardo:splittable_dofn:v1",
    ]);
  });

  it("graphProto() survives the way through binary and JSON", () => {
    const proto = graphProto(build());
    const { Pipeline: message } = runnerApi;
    expect(message.equals(message.fromBinary(message.toBinary(proto)), proto)).to.equal(true);
    expect(message.equals(message.fromJsonString(renderGraph(proto, "json")), proto)).to.equal(true);
  });

  it("graphProto() takes graphs of the SDK's own transforms", () => {
    const pipeline = new Pipeline();
    const root = new Root(pipeline);
    const numbers = root.apply(withName("Create", beam.create([1, 2, 3]))) as PCollection<number>;
    numbers.apply(withName("Count", beam.countPerElement<number>()));
    const ids = Object.keys(graphProto(pipeline).components!.transforms);
    expect(ids).to.include("Create/impulse");
    expect(ids.every((id) => id.startsWith("Create") || id.startsWith("Count"))).to.equal(true);
  });

  it("graphProto() says unbounded of what the SDK makes of an unbounded PCollection", () => {
    const pipeline = new Pipeline();
    const events = new Root(pipeline).apply(withName("Events", testStream<string>()));
    P([events, events])
      .apply(withName("All", beam.flatten<string>()))
      .map(withName("Map", (x: unknown) => x) as never);
    P(events).apply(withName("Bounded", registeredParDo<string, string>("fn@1", null, { bounded: true })));
    for (const collection of Object.values(pipeline.getProto().components!.pcollections)) {
      collection.isBounded = runnerApi.IsBounded_Enum.BOUNDED;
    }
    pipeline.getProto().components!.pcollections[events.getId()]!.isBounded =
      runnerApi.IsBounded_Enum.UNBOUNDED;
    const { pcollections } = graphProto(pipeline).components!;
    const { BOUNDED, UNBOUNDED } = runnerApi.IsBounded_Enum;
    const found = Object.entries(pcollections).map(([id, { isBounded }]) => [id, isBounded]);
    expect(found).to.have.deep.members([
      ["Events.main", UNBOUNDED],
      ["All.main", UNBOUNDED],
      ["map(Map).main", UNBOUNDED],
      ["Bounded.main", BOUNDED],
    ]);
  });

  it("graphProto() takes a proto as it takes a pipeline", () => {
    const pipeline = new Pipeline();
    new Root(pipeline).apply(withName("Start", impulse()));
    expect(graphProto(pipeline.getProto())).to.deep.equal(graphProto(pipeline));
  });

  it("graphProto() refuses a proto that names what it does not hold, or goes in a circle, saying who names it", () => {
    const error = (damage: (components: runnerApi.Components, proto: runnerApi.Pipeline) => void) => {
      const proto = graphProto(build());
      damage(proto.components!, proto);
      try {
        graphProto(proto);
      } catch (thrown) {
        return `${thrown}`;
      }
      return "no error";
    };
    const lacks = {
      components: error((_, proto) => delete proto.components),
      root: error((_, { rootTransformIds }) => rootTransformIds.push("Gone")),
      part: error(({ transforms }) => transforms["All"]!.subtransforms.push("Gone")),
      circle: error(({ transforms }) => transforms["All"]!.subtransforms.push("All")),
      collection: error(({ pcollections }) => delete pcollections["A.main"]),
      strategy: error((components) => {
        components.windowingStrategies = {};
      }),
    };
    const [strategy] = Object.keys(graphProto(build()).components!.windowingStrategies);
    expect(lacks).to.deep.equal({
      components: "Error: the graph holds no components: no transforms, no PCollections",
      root: 'Error: the graph names a transform "Gone" that it does not hold',
      part: 'Error: transform "All" names a transform "Gone" that it does not hold',
      circle: 'Error: transform "All" names the transform "All", which stands elsewhere already',
      collection: 'Error: step "A" names a PCollection "A.main" that the graph does not hold',
      strategy:
        `Error: PCollection "Impulse.main" of step "Impulse" has a windowing strategy "${strategy}" ` +
        "that the graph does not hold",
    });
  });

  it("graphProto() refuses two PCollections of one name", () => {
    const pipeline = new Pipeline();
    const input = new Root(pipeline).apply(withName("Impulse", impulse()));
    P(input).apply(
      withName("A", registeredParDo<unknown, { "b.c": string }>("fn@1", null, { outputs: ["b.c"] })),
    );
    P(input).apply(
      withName("A.b", registeredParDo<unknown, { c: string }>("fn@1", null, { outputs: ["c"] })),
    );
    expect(() => graphProto(pipeline)).to.throw('two PCollections would be named "A.b.c": rename a step');
  });
});
