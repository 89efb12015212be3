/** Graphs as text: what a name may hold must not break the language. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { renderGraph } from "../../../runners/graph/render.js";
import {
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  withName,
} from "../../../transforms/primitives/beam.js";
import { composite } from "../../../transforms/primitives/composite.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";

function nested(name: string): Pipeline {
  const pipeline = new Pipeline();
  const inner = registeredParDo<unknown, string>("fn@1", null);
  const middle = composite("millrace:transform:m:v1", null, (pc: PCollection<unknown>) =>
    P(pc).apply(withName(name, inner)),
  );
  const outer = composite("millrace:transform:o:v1", null, (pc: PCollection<unknown>) =>
    P(pc).apply(withName("Middle", middle)),
  );
  P(new Root(pipeline).apply(withName("Impulse", impulse()))).apply(withName("Outer", outer));
  return pipeline;
}

describe("renderGraph", () => {
  it("renderGraph() draws composites in composites as frames in frames", () => {
    expect(renderGraph(graphProto(nested("Step")), "mermaid")).to.equal(`flowchart LR
  s1["Impulse"]
  subgraph c1["Outer"]
    subgraph c2["Middle"]
      s2["Step: fn@1"]
    end
  end
  s1 --> s2
`);
  });

  it("renderGraph() escapes quotes and signs in names for mermaid and dot", () => {
    const proto = graphProto(nested('a "b" #1 \\'));
    expect(renderGraph(proto, "mermaid")).to.include('s2["a #quot;b#quot; #35;1 \\: fn@1"]');
    expect(renderGraph(proto, "dot")).to.include('s2 [label="a \\"b\\" #1 \\\\: fn@1"];');
  });
});
