/** withFusibleFlattens(): between a Flatten of a step's output and an input that the runner makes lies a step. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { withFlattensOfWorkers, withFusibleFlattens } from "../../../runners/portable/fusible-flattens.js";
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

/** The graph before and after, with a Flatten "Both" of these. */
function graphs(inputs: (root: Root) => readonly Collection[]) {
  const pipeline = new Pipeline();
  P([...inputs(new Root(pipeline))]).apply(withName("Both", flattenAll<unknown>()));
  const before = graphProto(pipeline);
  return { before, after: withFusibleFlattens(before) };
}

describe("withFusibleFlattens()", () => {
  it("lets a group pass through a step's environment to a Flatten with that step's output", () => {
    const { before, after } = graphs((root) => [grouped(root, "Group"), mapped(root, "Map")]);
    const { transforms, pcollections } = after.components!;
    const through = "Both/Pass on 0";
    expect(transforms["Both"]!.inputs).to.deep.equal({ "0": `${through}.main`, "1": "Map.main" });
    expect(transforms[through]!.inputs).to.deep.equal({ main: "Group/GroupByKey.main" });
    expect(transforms[through]!.environmentId)
      .to.equal(transforms["Map"]!.environmentId)
      .and.to.not.equal("");
    expect(pcollections[`${through}.main`]).to.deep.equal({
      ...before.components!.pcollections["Group/GroupByKey.main"]!,
      uniqueName: `${through}.main`,
    });
    const roots = before.rootTransformIds.flatMap((id) => (id === "Both" ? [through, id] : [id]));
    expect(after.rootTransformIds).to.deep.equal(roots);
  });

  it("lets an Impulse pass so too", () => {
    const { after } = graphs((root) => [mapped(root, "Map"), start(root, "Impulse")]);
    expect(after.components!.transforms["Both/Pass on 1"]!.inputs).to.deep.equal({ main: "Impulse.main" });
  });

  it("leaves a Flatten of steps' outputs alone, and one of the runner's own", () => {
    const ofSteps = graphs((root) => [mapped(root, "A"), mapped(root, "B")]);
    expect(ofSteps.after).to.deep.equal(ofSteps.before);
    const ofGroups = graphs((root) => [grouped(root, "A"), grouped(root, "B")]);
    expect(ofGroups.after).to.deep.equal(ofGroups.before);
  });
});

describe("withFlattensOfWorkers()", () => {
  it("gives a Flatten the environment of a step before it, and leaves one of groups alone to the runner", () => {
    const mixed = graphs((root) => [grouped(root, "Group"), mapped(root, "Map")]).before;
    const { transforms } = withFlattensOfWorkers(mixed).components!;
    expect(transforms["Both"]!.environmentId).to.equal(transforms["Map"]!.environmentId).and.to.not.equal("");
    expect(transforms["Both"]!.inputs).to.deep.equal(mixed.components!.transforms["Both"]!.inputs);
    const groups = graphs((root) => [grouped(root, "One"), grouped(root, "Other")]).before;
    expect(withFlattensOfWorkers(groups)).to.deep.equal(groups);
  });
});
