/** From a ProcessBundleDescriptor to the stage that is run. */
import { expect } from "chai";
import { readDescriptor, type StagePlan } from "../../../../runners/harness/descriptor/stage-plan.js";
import {
  impulse,
  P,
  type PCollection,
  type Root,
  runnerApi,
  withName,
} from "../../../../transforms/primitives/beam.js";
import { encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { flattenAll } from "../../../../transforms/primitives/flatten-all.js";
import { registeredParDo } from "../../../../transforms/primitives/par-do.js";
import { GLOBAL_WINDOW, NO_FIRING } from "../../../../transforms/primitives/window.js";
import { addSink, cutStage, graphOf } from "./descriptors.js";

type Pc = PCollection<unknown>;

const step = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>("fn@1", null)));
const flatten = (name: string, ...inputs: Pc[]): Pc => P(inputs).apply(withName(name, flattenAll<unknown>()));
const start = (root: Root, name = "Impulse"): Pc => root.apply(withName(name, impulse()));

/** The stage as text: its roots, the steps and who calls whom, and what leaves it. */
function stageOf({ stage }: StagePlan): string[] {
  const consumersOf = (consumers: readonly { step: { path: string }; input: string }[]) =>
    consumers.map(({ step: { path }, input }) => `${path}.${input}`).join(" + ");
  return [
    ...stage.roots.map(({ id, kind, collection, consumers }) => {
      return `${kind} "${id}" ${collection} -> ${consumersOf(consumers)}`;
    }),
    ...[...stage.consumers].map(([id, consumers]) => `${id} -> ${consumersOf(consumers)}`),
    `steps ${stage.steps.map(({ path }) => path).join(" ")}`,
    `out ${stage.outputs.join(" ")}`,
  ];
}

describe("readDescriptor", () => {
  it("readDescriptor() reads a chain of ParDos between a source and a sink, producers first", () => {
    const graph = graphOf((root) => step("C", step("B", step("A", start(root)))));
    const plan = readDescriptor(cutStage(graph, ["B", "A"]));
    expect(plan.id).to.equal("stage");
    expect(stageOf(plan)).to.deep.equal([
      'elements "Impulse.main" Impulse.main -> A.main',
      "A.main -> B.main",
      "steps A B",
      "out B.main",
    ]);
    const source = plan.sources.get("read/Impulse.main")!;
    expect({ ...source, coder: undefined }).to.deep.equal({
      transformId: "read/Impulse.main",
      endpoint: "localhost:1",
      collection: "Impulse.main",
      coder: undefined,
      root: plan.stage.roots[0],
    });
    const element = { value: Uint8Array.of(7), timestampMs: 0, windows: [GLOBAL_WINDOW], pane: NO_FIRING };
    expect([...encodeToBytes(source.coder, element)]).to.deep.equal([
      128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 15, 7,
    ]);
    const sinks = plan.sinks.get("B.main")!;
    expect(sinks.map(({ transformId, endpoint }) => [transformId, endpoint])).to.deep.equal([
      ["write/B.main", "localhost:1"],
    ]);
    expect([plan.stateEndpoint, plan.timerEndpoint]).to.deep.equal(["localhost:2", "localhost:3"]);
    expect(plan.needsFinalization).to.equal(false);
  });

  it("readDescriptor() gives a PCollection to a sink and to consumers, also the one of a source, and to two sinks", () => {
    const graph = graphOf((root) => {
      const input = start(root);
      step("B", step("A", input));
      step("C", input);
    });
    const descriptor = cutStage(graph, ["A", "B", "C"], { written: ["A.main"] });
    addSink(descriptor, "A.main", "again");
    addSink(descriptor, "Impulse.main");
    const plan = readDescriptor(descriptor);
    expect(stageOf(plan)).to.deep.equal([
      'elements "Impulse.main" Impulse.main -> A.main + C.main',
      "A.main -> B.main",
      "steps A C B",
      "out A.main Impulse.main",
    ]);
    expect([...plan.sinks].map(([id, sinks]) => [id, sinks.map((sink) => sink.transformId)])).to.deep.equal([
      ["A.main", ["write/A.main", "again/A.main"]],
      ["Impulse.main", ["write/Impulse.main"]],
    ]);
  });

  it("readDescriptor() counts a flatten's input as often as it names it, and takes some from a source", () => {
    const graph = graphOf((root) => {
      const records = step("A", start(root));
      flatten("All", records, start(root, "Other"), records);
    });
    const plan = readDescriptor(cutStage(graph, ["A", "All"]));
    expect(stageOf(plan)).to.deep.equal([
      'elements "Impulse.main" Impulse.main -> A.main',
      'elements "Other.main" Other.main -> All.1',
      "A.main -> All.0 + All.2",
      "steps A All",
      "out ",
    ]);
  });

  it("readDescriptor() refuses a transform under an unknown URN, naming both", () => {
    const descriptor = cutStage(
      graphOf((root) => step("A", start(root))),
      ["A"],
    );
    descriptor.transforms.Odd = runnerApi.PTransform.create({ spec: { urn: "beam:transform:odd:v9" } });
    expect(() => readDescriptor(descriptor)).to.throw(
      'transform "Odd" (beam:transform:odd:v9): a transform of this kind is not known in a stage',
    );
  });
});
