/** From protos to stages. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { type Plan, translate } from "../../../runners/graph/translate.js";
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

type Pc = PCollection<unknown>;

const step = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>("fn@1", null)));
const read = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, splittableParDo<unknown, unknown>("read@1", null, { bounded: true })));
const flatten = (name: string, ...inputs: Pc[]): Pc => P(inputs).apply(withName(name, flattenAll<unknown>()));
const group = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, beam.groupBy("key") as never)) as Pc;

function plan(build: (root: Root) => void): Plan {
  const pipeline = new Pipeline();
  build(new Root(pipeline));
  return translate(graphProto(pipeline));
}
const start = (root: Root, name = "Impulse"): Pc => root.apply(withName(name, impulse()));

/** A plan as text: a line a stage, its roots, steps, and what leaves it. */
function stagesOf({ stages }: Plan): string[] {
  return stages.map(({ roots, steps, outputs }) => {
    const entries = roots.map((r) => `${r.collection} -> ${r.consumers.map((c) => c.step.path).join(" + ")}`);
    const left = outputs.length > 0 ? ` => ${outputs.join(", ")}` : "";
    return `${entries.join("; ")}: ${steps.map((s) => s.path).join(" ")}${left}`;
  });
}

describe("translate", () => {
  it("translate() fuses everything below a source into one stage", () => {
    const found = plan((root) => {
      const records = read("Read", start(root));
      const a = step("A", records);
      step("Sink", flatten("All", a, step("B", a), records));
    });
    expect(stagesOf(found)).to.deep.equal(["Impulse.main -> Read: Read A B All Sink"]);
    expect(found.runnerSteps.map((s) => `${s.kind} ${s.path}`)).to.deep.equal(["impulse Impulse"]);
  });

  it("translate() lists the consumers of each PCollection with the input's local name, a repeated one twice", () => {
    const { stages } = plan((root) => {
      const records = read("Read", start(root));
      flatten("Twice", records, step("A", records), records);
    });
    const consumers = stages[0]!.consumers.get("Read.main")!;
    expect(consumers.map((c) => `${c.step.path} ${c.input}`)).to.deep.equal(["A main", "Twice 0", "Twice 2"]);
    expect(stages[0]!.consumers.get("Twice.main")).to.equal(undefined);
  });

  it("translate() gives each unconnected source a stage of its own", () => {
    const found = plan((root) => {
      step("A", read("ReadA", start(root, "ImpulseA")));
      step("B", read("ReadB", start(root, "ImpulseB")));
    });
    expect(stagesOf(found)).to.deep.equal([
      "ImpulseA.main -> ReadA: ReadA A",
      "ImpulseB.main -> ReadB: ReadB B",
    ]);
  });

  it("translate() joins sources that meet in a Flatten", () => {
    const found = plan((root) => {
      const input = start(root);
      step("Sink", flatten("All", read("ReadA", input), read("ReadB", input)));
    });
    expect(stagesOf(found)).to.deep.equal([
      "Impulse.main -> ReadA; Impulse.main -> ReadB: ReadA ReadB All Sink",
    ]);
  });

  it("translate() fuses the readers of one impulse", () => {
    const found = plan((root) => {
      const input = start(root);
      step("A", input);
      step("B", input);
    });
    expect(stagesOf(found)).to.deep.equal(["Impulse.main -> A + B: A B"]);
  });

  it("translate() cuts before a splittable DoFn that follows a step", () => {
    const found = plan((root) => {
      step("After", read("Read", step("Files", start(root))));
    });
    expect(stagesOf(found)).to.deep.equal([
      "Impulse.main -> Files: Files => Files.main",
      "Files.main -> Read: Read After",
    ]);
  });

  it("translate() cuts at a GroupByKey, which the runner executes", () => {
    const found = plan((root) => {
      step("After", group("Group", step("Before", start(root))));
    });
    expect(found.runnerSteps.map((s) => `${s.kind} ${s.path}`)).to.deep.equal([
      "impulse Impulse",
      "groupByKey Group/groupByKey/groupByKey",
    ]);
    expect(found.stages.map((s) => s.steps[0]!.path)).to.deep.equal(["Before", "After"]);
    expect(found.stages[1]!.roots[0]!.collection).to.equal("Group/groupByKey/groupByKey.main");
  });

  it("translate() never lets a stage wait for its own output", () => {
    const found = plan((root) => {
      const before = step("Before", start(root));
      flatten("All", before, step("After", group("Group", before)));
    });
    const [first, second] = found.stages;
    expect(first!.steps.map((s) => s.path)).to.not.include("All");
    expect(first!.outputs).to.include("Before.main");
    expect(second!.steps.map((s) => s.path)).to.deep.equal(["After", "All"]);
    expect(second!.roots.map((r) => r.collection)).to.have.members([
      "Before.main",
      "Group/groupByKey/groupByKey.main",
    ]);
  });

  it("translate() cuts before a step with side inputs and after the step that makes them", () => {
    const found = plan((root) => {
      const input = step("Rates", start(root));
      input.map(
        withName("Enrich", (x: unknown) => x) as never,
        { rates: beam.iterableSideInput(input) } as never,
      );
    });
    expect(stagesOf(found)).to.deep.equal([
      "Impulse.main -> Rates: Rates => Rates.main",
      "Rates.main -> map(Enrich): map(Enrich)",
    ]);
    expect(found.stages[1]!.sideInputs).to.deep.equal(["Rates.main"]);
  });

  it("translate() decodes registered DoFns, and the SDK's as other", () => {
    const { stages } = plan((root) => {
      const input = step("Ours", start(root));
      input.map(withName("Theirs", (x: unknown) => x) as never);
    });
    const [ours, theirs] = stages[0]!.steps.map((s) => (s.kind === "parDo" ? s.doFn : undefined));
    expect(ours).to.deep.equal({ kind: "registered", fn: "fn@1", config: null });
    expect(theirs).to.include({ kind: "other", urn: "beam:dofn:serialized_js_dofn_info:v1" });
  });

  it("translate() keeps the order of a flatten with more than ten inputs", () => {
    const { stages } = plan((root) => {
      const input = start(root);
      flatten("All", ...Array.from({ length: 12 }, (_, i) => step(`S${i}`, input)));
    });
    const all = stages[0]!.steps.at(-1)!;
    if (all.kind !== "flatten") throw new Error(`expected a flatten, got ${all.kind}`);
    expect(all.inputs).to.deep.equal(Array.from({ length: 12 }, (_, i) => `S${i}.main`));
  });

  it("translate() tells of each PCollection who makes it, coder, windowing, boundedness", () => {
    const { collections, components } = plan((root) => {
      step("A", start(root));
    });
    const made = collections.get("A.main")!;
    expect(made).to.include({ id: "A.main", isBounded: true, windowingStrategyId: "globalWindowing" });
    expect(made.producer).to.deep.equal({ step: "A", output: "main" });
    expect(components.coders[made.coderId]!.spec!.urn).to.equal("beam:coder:genericobjectjs:v1");
  });

  it("translate() refuses a leaf under an unknown URN, naming step and URN", () => {
    const pipeline = new Pipeline();
    new Root(pipeline).apply(withName("Odd", strangeLeaf));
    expect(() => translate(graphProto(pipeline))).to.throw(
      'step "Odd" is a leaf under an unknown URN "test:odd:v1"',
    );
  });
});

function strangeLeaf(_root: Root, pipeline: Pipeline, proto: runnerApi.PTransform): Pc {
  proto.spec = { urn: "test:odd:v1", payload: new Uint8Array() };
  return pipeline.createPCollectionInternal("coder", undefined, runnerApi.IsBounded_Enum.BOUNDED);
}
