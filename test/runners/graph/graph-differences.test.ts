/** graphDifferences(): nothing for the same graph built twice, a sentence for each thing that is another. */
import { expect } from "chai";
import { buildUserEvents, type UserEventsOptions } from "../../../pipelines/user-events.js";
import {
  type DescribedStep,
  describeGraph,
  graphDifferences,
} from "../../../runners/graph/graph-differences.js";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import "../../../transforms/all-do-fns.js";
import { impulse, P, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";

const userEvents = (options: Partial<UserEventsOptions> = {}) =>
  describeGraph(
    graphProto(buildUserEvents({ input: "data/raw", errorDir: "data/error", distributed: true, ...options })),
  );
const kept = (steps: DescribedStep[]) => JSON.parse(JSON.stringify(steps)) as DescribedStep[];

describe("graphDifferences()", () => {
  it("finds none between two builds of the same graph, one of them kept as JSON", () => {
    expect(graphDifferences(kept(userEvents()), userEvents())).to.deep.equal([]);
  });

  it("names the settings of a step that are others, with both values", () => {
    const differences = graphDifferences(
      kept(userEvents()),
      userEvents({ input: "elsewhere", read: { quietMs: 5 } }),
    );
    expect(differences).to.include(
      'step ReadEvents/WatchDirectory: its directory is "elsewhere", was "data/raw"',
    );
    expect(differences).to.include("step ReadEvents/WatchDirectory: its quietMs is 5, was nothing");
  });

  it("names steps that are new, gone, or do something else", () => {
    const build = (name: string, second?: string) => {
      const pipeline = new Pipeline();
      const root = new Root(pipeline);
      P(root.apply(withName(name, impulse())));
      if (second !== undefined) root.apply(withName(second, impulse()));
      return describeGraph(graphProto(pipeline));
    };
    expect(graphDifferences(build("A"), build("B"))).to.deep.equal(["step B is new", "step A is gone"]);
    const [step] = build("A");
    const other: DescribedStep = { ...step!, does: "something@1", digest: "0" };
    expect(graphDifferences([other], [step!])).to.deep.equal([
      "step A: it is beam:transform:impulse:v1, was something@1",
    ]);
    expect(graphDifferences([{ ...step!, digest: "0" }], [step!])).to.deep.equal([
      "step A: its state, timers, coders or windows are others",
    ]);
    expect(graphDifferences([{ ...step!, inputs: { in: "X.main" } }], [step!])).to.deep.equal([
      "step A: it reads nothing, reads before X.main",
    ]);
  });

  it("is not taken in by the order of keys", () => {
    const [step] = userEvents();
    const before: DescribedStep = { ...step!, config: { a: 1, b: { c: 2, d: 3 } } };
    const now: DescribedStep = { ...step!, config: { b: { d: 3, c: 2 }, a: 1 } };
    expect(graphDifferences([before], [now])).to.deep.equal([]);
  });
});
