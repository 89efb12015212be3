/** The SDK's reshuffle in a graph's final proto. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { beam, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import { RESHUFFLE_URN } from "../../../transforms/primitives/reshuffle.js";

function transformsOf(build: (root: Root) => unknown) {
  const pipeline = new Pipeline();
  build(new Root(pipeline));
  return graphProto(pipeline).components!.transforms;
}

describe("withBeamsReshuffle", () => {
  it("withBeamsReshuffle() makes the reshuffle in the SDK's create a leaf under Beam's URN, without its parts", () => {
    const transforms = transformsOf((root) => root.apply(withName("Create", beam.create([1, 2]))));
    const reshuffle = transforms["Create/reshuffle"]!;
    expect({ urn: reshuffle.spec?.urn, parts: reshuffle.subtransforms }).to.deep.equal({
      urn: RESHUFFLE_URN,
      parts: [],
    });
    expect(Object.keys(transforms)).to.deep.equal([
      "Create",
      "Create/impulse",
      "Create/flatMap(ExtractElements)",
      "Create/reshuffle",
    ]);
    expect(reshuffle.inputs).to.deep.equal({ main: "Create/flatMap(ExtractElements).main" });
    expect(reshuffle.outputs).to.deep.equal({ main: "Create/reshuffle.main" });
  });

  it("withBeamsReshuffle() leaves a groupBy of a user's own as it is", () => {
    const transforms = transformsOf((root) =>
      root.apply(withName("Create", beam.create([1]))).apply(
        withName(
          "groupByRandomKey",
          beam.groupBy(() => "key"),
        ),
      ),
    );
    expect(transforms["groupByRandomKey"]!.subtransforms).not.to.have.length(0);
  });
});
