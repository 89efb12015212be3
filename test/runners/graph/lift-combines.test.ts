/** Which combines are lifted into their groupings, and what becomes of the plan. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { jobGraph } from "../../../runners/graph/job-graph.js";
import { shapeDifferences, stateShapeOf } from "../../../runners/graph/state-shape.js";
import { type Plan, translate } from "../../../runners/graph/translate.js";
import {
  P,
  type PCollection,
  Pipeline,
  Root,
  type runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { StringUtf8Coder, VarIntCoder } from "../../../transforms/primitives/coders/scalar-coders.js";
import { combinePerKey, registerCombineFn } from "../../../transforms/primitives/combine-per-key.js";
import { create } from "../../../transforms/primitives/create.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { kvCoderId } from "../../../transforms/primitives/graph-coders.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import type { KV } from "../../../transforms/primitives/window.js";

const SUM = registerCombineFn("sum@lift-combines", ({ from }: { from: number }) => ({
  createAccumulator: () => from,
  addInput: (sum: number, input: number) => sum + input,
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (sum: number) => sum,
}));
const KEY = registerDoFn("key@lift-combines", () => ({ process: () => undefined }));
const READ = registerDoFn("read@lift-combines", () => ({ process: () => undefined }));

function protoOf(build: (keyed: PCollection<KV<string, number>>) => void): runnerApi.Pipeline {
  const pipeline = new Pipeline();
  const numbers = new Root(pipeline).apply(withName("Create", create([1, 2])));
  const coder = kvCoderId(
    pipeline,
    pipeline.getCoderId(new StringUtf8Coder()),
    pipeline.getCoderId(new VarIntCoder()),
  );
  const keyed = P(numbers).apply(
    withName("Key", registeredParDo<number, KV<string, number>>(KEY, null, { coders: { main: coder } })),
  );
  build(keyed);
  return graphProto(pipeline);
}

const sums = (from: number) => (keyed: PCollection<KV<string, number>>) =>
  void P(keyed).apply(
    withName(
      "Sums",
      combinePerKey<string, number, number>(SUM, { from }, { accumulator: new VarIntCoder() as never }),
    ),
  );

const groupingOf = ({ runnerSteps }: Plan) => runnerSteps.find(({ kind }) => kind === "groupByKey");

describe("liftCombines", () => {
  it("makes the grouping combine, and the step behind it extract, named as before", () => {
    const plan = translate(protoOf(sums(3)));
    expect(groupingOf(plan)).to.deep.include({
      path: "Sums/GroupByKey",
      combine: {
        fn: SUM,
        config: { from: 3 },
        accumulatorCoderId:
          plan.components.coders[plan.collections.get("Sums/GroupByKey.main")!.coderId]!
            .componentCoderIds[1]!,
        step: "Sums/CombineValues",
      },
    });
    const steps = plan.stages.flatMap((stage) => stage.steps);
    const last = steps.find(({ path }) => path === "Sums/CombineValues");
    expect(last).to.deep.include({ kind: "part", input: "Sums/GroupByKey.main" });
    const drawn = jobGraph(plan).steps.find(({ id }) => id === "Sums/CombineValues");
    expect(drawn?.doFn?.config).to.deep.equal({ fn: SUM, config: { from: 3 } });
  });

  it("says in what the groups are written that they are accumulators, and of which CombineFn", () => {
    const shape = stateShapeOf(translate(protoOf(sums(3))));
    expect(shape["Sums/GroupByKey"]?.["elements"]).to.match(
      /^kv<string_utf8, varint> combined by sum@lift-combines#\w{8} to varint$/,
    );
    expect(shape["Sums/GroupByKey.main"]?.["elements"]).to.equal("kv<string_utf8, varint>");
    const other = stateShapeOf(translate(protoOf(sums(4))));
    expect(shapeDifferences(shape, other)).to.have.length(1);
  });

  it("leaves groups that somebody else reads as they are", () => {
    const proto = protoOf(sums(3));
    const { transforms } = proto.components!;
    const combine = transforms["Sums/CombineValues"]!;
    const other = { ...combine, uniqueName: "Other", outputs: {} };
    transforms["Other"] = other;
    proto.rootTransformIds.push("Other");
    const plan = translate(proto);
    expect(groupingOf(plan)).not.to.have.property("combine");
    expect(plan.stages.flatMap(({ steps }) => steps).map(({ kind }) => kind)).not.to.include("part");
  });

  it("leaves a grouping alone that no combine is part of", () => {
    const plan = translate(
      protoOf((keyed) => {
        const grouped = P(keyed).apply(withName("Group", groupByKey<string, number>()));
        P(grouped).apply(withName("Read", registeredParDo(READ, null)));
      }),
    );
    expect(groupingOf(plan)).not.to.have.property("combine");
  });
});
