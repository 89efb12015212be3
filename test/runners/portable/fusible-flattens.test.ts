/** withFusibleFlattens(): a Flatten of a worker's and a runner's output is in the workers' environment. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { withFusibleFlattens } from "../../../runners/portable/fusible-flattens.js";
import {
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  withName,
} from "../../../transforms/primitives/beam.js";
import { flattenAll } from "../../../transforms/primitives/flatten-all.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { FAN_OUT, KEYED } from "../../portable/torture-fns.js";

type Collection = PCollection<unknown>;

const start = (root: Root, name: string) => root.apply(withName(name, impulse())) as Collection;
const mapped = (root: Root, name: string): Collection =>
  P(start(root, `${name} start`)).apply(
    withName(name, registeredParDo<unknown, unknown>(FAN_OUT, { count: 1, bytes: 1 })),
  );
const grouped = (root: Root, name: string): Collection =>
  P(
    P(mapped(root, `${name} input`)).apply(
      withName(`${name} key`, registeredParDo<unknown, never>(KEYED, 1)),
    ),
  ).apply(withName(name, groupByKey())) as Collection;

/** The environments of the Flatten of these, and of a step of workers. */
function environments(inputs: (root: Root) => readonly Collection[]) {
  const pipeline = new Pipeline();
  const root = new Root(pipeline);
  P([...inputs(root)]).apply(withName("Both", flattenAll<unknown>()));
  mapped(root, "Step");
  const { transforms } = withFusibleFlattens(graphProto(pipeline)).components!;
  return { flatten: transforms["Both"]!.environmentId, step: transforms["Step"]!.environmentId };
}

describe("withFusibleFlattens()", () => {
  it("puts a Flatten of a group and a step's output into the step's environment", () => {
    const { flatten, step } = environments((root) => [grouped(root, "Group"), mapped(root, "Map")]);
    expect(step).to.not.equal("");
    expect(flatten).to.equal(step);
  });

  it("puts a Flatten of an impulse and a step's output there too, in either order", () => {
    const { flatten, step } = environments((root) => [mapped(root, "Map"), start(root, "Impulse")]);
    expect(flatten).to.equal(step);
  });

  it("leaves a Flatten of workers' outputs alone, and one of the runner's own", () => {
    expect(environments((root) => [mapped(root, "A"), mapped(root, "B")]).flatten).to.equal("");
    expect(environments((root) => [grouped(root, "A"), grouped(root, "B")]).flatten).to.equal("");
  });
});
