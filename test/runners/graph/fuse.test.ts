/** Fusion over random graphs: nothing lost, nothing doubled, no stage waits for itself. */
import { expect } from "chai";
import fc from "fast-check";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { inputsOf, outputsOf, readSteps } from "../../../runners/graph/step.js";
import { type Plan, translate } from "../../../runners/graph/translate.js";
import {
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import {
  createOutput,
  parDoSpec,
  registeredParDo,
  type StepOf,
} from "../../../transforms/primitives/par-do.js";
import { reshuffle } from "../../../transforms/primitives/reshuffle.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";

type Pc = PCollection<unknown>;
type Choice = { readonly kind: string; readonly picks: readonly number[] };

const choices = fc.array(
  fc.record({
    kind: fc.constantFrom(
      "impulse",
      "parDo",
      "parDo",
      "splittable",
      "flatten",
      "groupByKey",
      "reshuffle",
      "testStream",
      "sideInput",
    ),
    picks: fc.array(fc.nat(15), { minLength: 1, maxLength: 3 }),
  }),
  { maxLength: 14 },
);

/** Builds a graph in which every step reads from steps made before it. */
function build(steps: readonly Choice[]): runnerApi.Pipeline {
  const pipeline = new Pipeline();
  const root = new Root(pipeline);
  const made: Pc[] = [root.apply(withName("Start", impulse()))];
  for (const [index, { kind, picks }] of steps.entries()) {
    const inputs = picks.map((pick) => made[pick % made.length]!);
    made.push(apply(kind, `${kind}${index}`, root, inputs));
  }
  return graphProto(pipeline);
}

function apply(kind: string, name: string, root: Root, inputs: readonly Pc[]): Pc {
  const [first, second] = inputs;
  const named = <T>(transform: T) => withName(name, transform);
  switch (kind) {
    case "impulse":
      return root.apply(named(impulse()));
    case "splittable":
      return P(first!).apply(named(splittableParDo<unknown, unknown>("read@1", null, { bounded: true })));
    case "flatten":
      return P([...inputs]).apply(named(flatten));
    case "groupByKey":
      return P(first!).apply(named(groupByKey));
    case "reshuffle":
      return P(first!).apply(named(reshuffle<unknown>()));
    case "testStream":
      return root.apply(named(testStream<unknown>()));
    case "sideInput":
      return P(first!).apply(named(withSideInput(second ?? first!)));
    default:
      return P(first!).apply(named(registeredParDo<unknown, unknown>("fn@1", null)));
  }
}

// Leaves made by hand: the SDK's own serialise closures, which takes most of a run's time, and its Flatten
// does not mix bounded with unbounded.
const flatten: StepOf<readonly Pc[], Pc> = (_inputs, pipeline, proto) => {
  proto.spec = { urn: "beam:transform:flatten:v1", payload: new Uint8Array() };
  return createOutput(pipeline, true, undefined, "globalWindowing");
};
const groupByKey: StepOf<Pc, Pc> = (_input, pipeline, proto) => {
  proto.spec = { urn: "beam:transform:group_by_key:v1", payload: new Uint8Array() };
  return createOutput(pipeline, true, undefined, "globalWindowing");
};

function withSideInput(side: Pc): StepOf<Pc, Pc> {
  return (_input, pipeline, proto) => {
    proto.inputs["side.a"] = side.getId();
    proto.spec = parDoSpec(
      { fn: "fn@1", config: null },
      { sideInputs: { "side.a": runnerApi.SideInput.create() } },
    );
    return createOutput(pipeline, true, undefined, "globalWindowing");
  };
}

/** Where each PCollection's elements arrive: `collection -> step input`, through the plan. */
function deliveries(plan: Plan): string[] {
  const line = (id: string, consumer: { step: { path: string }; input: string }) =>
    `${id} -> ${consumer.step.path} ${consumer.input}`;
  return plan.stages.flatMap(({ roots, consumers }) => [
    ...roots.flatMap((root) => root.consumers.map((consumer) => line(root.collection, consumer))),
    ...[...consumers].flatMap(([id, list]) => list.map((consumer) => line(id, consumer))),
  ]);
}

function checkOrder(plan: Plan): void {
  const available = new Set<string>();
  const waiting = [...plan.runnerSteps];
  const settle = () => {
    for (const step of waiting) {
      if (!inputsOf(step).every((id) => available.has(id))) continue;
      for (const output of outputsOf(step)) available.add(output);
    }
  };
  settle();
  for (const { id, roots, steps, sideInputs } of plan.stages) {
    const needed = [...roots.map((root) => root.collection), ...sideInputs];
    expect(
      needed.filter((needs) => !available.has(needs)),
      `what stage ${id} lacks`,
    ).to.deep.equal([]);
    for (const output of steps.flatMap(outputsOf)) available.add(output);
    for (const _ of waiting) settle();
  }
}

describe("fuse", () => {
  it("fuse() delivers every PCollection to each of its readers once, whatever the graph", () => {
    fc.assert(
      fc.property(choices, (steps) => {
        const proto = build(steps);
        const plan = translate(proto);
        const expected = readSteps(proto).flatMap((step) => {
          if (step.kind !== "parDo" && step.kind !== "flatten") return [];
          const main = Object.entries(step.transform.inputs).filter(([name]) => !name.startsWith("side."));
          return main.map(([name, id]) => `${id} -> ${step.path} ${name}`);
        });
        expect(deliveries(plan).sort()).to.deep.equal(expected.sort());
      }),
      { numRuns: 150 },
    );
  });

  it("fuse() hands on what others read, and never makes a stage wait for itself or a later one", () => {
    fc.assert(
      fc.property(choices, (steps) => {
        const plan = translate(build(steps));
        checkOrder(plan);
        const entering = new Set([
          ...plan.stages.flatMap(({ roots, sideInputs }) => [
            ...roots.map((r) => r.collection),
            ...sideInputs,
          ]),
          ...plan.runnerSteps.flatMap(inputsOf),
        ]);
        for (const stage of plan.stages) {
          const outputs = stage.steps.flatMap(outputsOf).filter((id) => entering.has(id));
          expect([...stage.outputs].sort(), stage.id).to.deep.equal(outputs.sort());
        }
      }),
      { numRuns: 150 },
    );
  });
});
