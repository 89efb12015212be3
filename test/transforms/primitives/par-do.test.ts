/** Steps with registered DoFns as they stand in a graph under construction. */
import { expect } from "chai";
import {
  GeneralObjectCoder,
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { composite } from "../../../transforms/primitives/composite.js";
import { flattenAll } from "../../../transforms/primitives/flatten-all.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";

const { BOUNDED, UNBOUNDED } = runnerApi.IsBounded_Enum;

function start(): { pipeline: Pipeline; input: PCollection<Uint8Array> } {
  const pipeline = new Pipeline();
  return { pipeline, input: new Root(pipeline).apply(withName("Impulse", impulse())) };
}

function transformNamed(pipeline: Pipeline, name: string): runnerApi.PTransform {
  const found = Object.values(pipeline.getProto().components!.transforms).find((t) => t.uniqueName === name);
  if (found === undefined) throw new Error(`no transform "${name}"`);
  return found;
}

function payloadOf(pipeline: Pipeline, name: string): runnerApi.ParDoPayload {
  return runnerApi.ParDoPayload.fromBinary(transformNamed(pipeline, name).spec!.payload);
}

function collectionOf(pipeline: Pipeline, collection: PCollection<unknown>): runnerApi.PCollection {
  return pipeline.getProto().components!.pcollections[collection.getId()]!;
}

describe("registeredParDo", () => {
  it("registeredParDo() stands under Beam's ParDo URN with the DoFn's name and configuration", () => {
    const { pipeline, input } = start();
    P(input).apply(withName("Step", registeredParDo("fn@1", { limit: 3, names: ["a"] })));
    expect(transformNamed(pipeline, "Step").spec!.urn).to.equal("beam:transform:pardo:v1");
    const { doFn } = payloadOf(pipeline, "Step");
    expect(doFn!.urn).to.equal("millrace:dofn:registered:v1");
    expect(new TextDecoder().decode(doFn!.payload)).to.equal(
      '{"fn":"fn@1","config":{"limit":3,"names":["a"]}}',
    );
  });

  it("registeredParDo() has one output named main", () => {
    const { pipeline, input } = start();
    const output = P(input).apply(withName("Step", registeredParDo<Uint8Array, string>("fn@1", null)));
    expect(transformNamed(pipeline, "Step").outputs).to.deep.equal({ main: output.getId() });
  });

  it("registeredParDo() with outputs names each PCollection by its tag", () => {
    const { pipeline, input } = start();
    const step = registeredParDo<Uint8Array, { good: string; bad: string }>("fn@1", null, {
      outputs: ["good", "bad"],
    });
    const { good, bad } = P(input).apply(withName("Step", step));
    expect(transformNamed(pipeline, "Step").outputs).to.deep.equal({ good: good.getId(), bad: bad.getId() });
  });

  it("registeredParDo() with no outputs makes no PCollection", () => {
    const { pipeline, input } = start();
    P(input).apply(
      withName("Sink", registeredParDo<Uint8Array, Record<never, never>>("fn@1", null, { outputs: [] })),
    );
    expect(transformNamed(pipeline, "Sink").outputs).to.deep.equal({});
  });

  it("registeredParDo() is bounded as its input is, unless told otherwise", () => {
    const { pipeline, input } = start();
    const same = P(input).apply(withName("Same", registeredParDo<unknown, string>("fn@1", null)));
    const other = P(input).apply(
      withName("Other", registeredParDo<unknown, string>("fn@1", null, { bounded: false })),
    );
    const after = P(other).apply(withName("After", registeredParDo<unknown, string>("fn@1", null)));
    const found = [same, other, after].map((collection) => collectionOf(pipeline, collection).isBounded);
    expect(found).to.deep.equal([BOUNDED, UNBOUNDED, UNBOUNDED]);
  });

  it("registeredParDo() takes the SDK's general coder, or the one given for a tag", () => {
    const { pipeline, input } = start();
    const own = new GeneralObjectCoder<unknown>();
    own.toProto = () => coderProto("test:coder:own:v1");
    const step = registeredParDo<Uint8Array, { a: string; b: string }>("fn@1", null, {
      outputs: ["a", "b"],
      coders: { b: own },
    });
    const outputs = P(input).apply(withName("Step", step));
    const urns = [outputs.a, outputs.b].map((c) => {
      const { coderId } = collectionOf(pipeline, c);
      return pipeline.getProto().components!.coders[coderId]!.spec!.urn;
    });
    expect(urns).to.deep.equal(["beam:coder:genericobjectjs:v1", "test:coder:own:v1"]);
  });

  it("registeredParDo() that asks for finalization says so in payload and requirements, once", () => {
    const { pipeline, input } = start();
    for (const name of ["A", "B"]) {
      P(input).apply(withName(name, registeredParDo("fn@1", null, { requestsFinalization: true })));
    }
    expect(payloadOf(pipeline, "A").requestsFinalization).to.equal(true);
    expect(pipeline.getProto().requirements).to.deep.equal(["beam:requirement:pardo:finalization:v1"]);
  });

  it("registeredParDo() without a name is an error that says how to give one", () => {
    const { input } = start();
    expect(() => P(input).apply(registeredParDo("fn@1", null))).to.throw(
      'the step that applies "fn@1" has no name: apply it as withName("Name", …)',
    );
  });
});

describe("splittableParDo", () => {
  it("splittableParDo() sets a coder of restrictions with their watermark states, and its requirement", () => {
    const { pipeline, input } = start();
    P(input).apply(withName("Read", splittableParDo("read@1", null, { bounded: true })));
    const { restrictionCoderId, requestsFinalization } = payloadOf(pipeline, "Read");
    const { coders } = pipeline.getProto().components!;
    const { spec, componentCoderIds } = coders[restrictionCoderId]!;
    expect(spec!.urn).to.equal("beam:coder:kv:v1");
    expect(componentCoderIds.map((id) => coders[id]!.spec!.urn)).to.deep.equal([
      "beam:coder:genericobjectjs:v1",
      "beam:coder:genericobjectjs:v1",
    ]);
    expect(requestsFinalization).to.equal(false);
    expect(pipeline.getProto().requirements).to.deep.equal(["beam:requirement:pardo:splittable_dofn:v1"]);
  });

  it("splittableParDo() is bounded or unbounded as told, whatever its input", () => {
    const { pipeline, input } = start();
    const ends = P(input).apply(
      withName("Ends", splittableParDo<unknown, string>("read@1", null, { bounded: true })),
    );
    const goesOn = P(input).apply(
      withName("GoesOn", splittableParDo<unknown, string>("read@1", null, { bounded: false })),
    );
    const found = [ends, goesOn].map((collection) => collectionOf(pipeline, collection).isBounded);
    expect(found).to.deep.equal([BOUNDED, UNBOUNDED]);
  });
});

describe("composite", () => {
  it("composite() puts its URN and configuration on the frame and Beam's URNs on the parts", () => {
    const { pipeline, input } = start();
    const outer = composite("millrace:transform:test:v1", { a: 1 }, (pc: PCollection<Uint8Array>) =>
      P(pc).apply(withName("Inner", registeredParDo<Uint8Array, string>("fn@1", null))),
    );
    P(input).apply(withName("Outer", outer));
    const { spec, environmentId } = transformNamed(pipeline, "Outer");
    expect(spec!.urn).to.equal("millrace:transform:test:v1");
    expect(new TextDecoder().decode(spec!.payload)).to.equal('{"a":1}');
    expect(environmentId).to.equal("");
    expect(transformNamed(pipeline, "Outer/Inner").spec!.urn).to.equal("beam:transform:pardo:v1");
  });

  it("composite() that applies nothing is an error, since runners may drop such a leaf", () => {
    const { input } = start();
    const empty = composite("millrace:transform:test:v1", null, (pc: PCollection<Uint8Array>) => pc);
    expect(() => P(input).apply(withName("Empty", empty))).to.throw(
      'composite "Empty" (millrace:transform:test:v1) applies no transform',
    );
  });
});

describe("flattenAll", () => {
  const step = (bounded: boolean) => registeredParDo<Uint8Array, string>("fn@1", null, { bounded });

  it("flattenAll() of unbounded inputs is unbounded", () => {
    const { pipeline, input } = start();
    const parts = ["A", "B"].map((name) => P(input).apply(withName(name, step(false))));
    const all = P(parts).apply(withName("All", flattenAll<string>()));
    expect(collectionOf(pipeline, all).isBounded).to.equal(UNBOUNDED);
  });

  it("flattenAll() refuses bounded together with unbounded inputs", () => {
    const { input } = start();
    const parts = [true, false].map((bounded) => P(input).apply(withName(`Step ${bounded}`, step(bounded))));
    expect(() => P(parts).apply(withName("All", flattenAll<string>()))).to.throw(
      'flatten "All" mixes 1 bounded with 1 unbounded inputs',
    );
  });

  it("flattenAll() of no input is an error", () => {
    const { pipeline } = start();
    const none: PCollection<string>[] = [];
    expect(() => P(none).apply(withName("All", flattenAll<string>()), new Root(pipeline))).to.throw(
      'flatten "All" has no input',
    );
  });
});

function coderProto(urn: string): runnerApi.Coder {
  return { spec: { urn, payload: new Uint8Array() }, componentCoderIds: [] };
}
