/** Where the graph page puts steps and arrows, and what it says of back-pressure. */
import { expect } from "chai";
import type { GraphStep, JobGraph, StepFigures } from "../../../../runners/job/job-view.js";
import { limitSentence, standingOf } from "../../../../runners/monitor/pages/graph/back-pressure.js";
import {
  directionFor,
  layoutGraph,
  longestPath,
  neighbour,
  pathThrough,
  stepHeight,
  stepWidth,
} from "../../../../runners/monitor/pages/graph/layout.js";

const graph: JobGraph = {
  steps: ["Read/Impulse", "Read/Files", "Check", "Write", "Letters"].map(step),
  edges: [
    { from: "Read/Impulse", to: "Read/Files", collection: "1" },
    { from: "Read/Files", to: "Check", collection: "2" },
    { from: "Check", to: "Write", collection: "3" },
    { from: "Check", to: "Letters", collection: "4" },
    { from: "Check", to: "Nowhere", collection: "5" },
  ],
};

describe("layoutGraph()", () => {
  const placed = layoutGraph(graph, "LR");
  const at = (id: string) => {
    const found = placed.steps.find((candidate) => candidate.step.id === id);
    if (found === undefined) throw new Error(`${id} was not placed`);
    return found;
  };

  it("puts each step behind those it reads, none over another, all inside", () => {
    for (const { from, to } of placed.edges)
      expect(at(from).x + stepWidth, `${from} to ${to}`).to.be.below(at(to).x);
    expect(Math.abs(at("Write").y - at("Letters").y)).to.be.at.least(stepHeight);
    for (const { x, y } of placed.steps) {
      expect(x).to.be.within(0, placed.width - stepWidth);
      expect(y).to.be.within(0, placed.height - stepHeight);
    }
  });

  it("draws an arrow for each edge between known steps", () => {
    expect(placed.edges.map(({ collection }) => collection)).to.deep.equal(["1", "2", "3", "4"]);
    for (const { points } of placed.edges) expect(points.length).to.be.at.least(2);
  });

  it("frames composites of several steps, whose names their steps then leave out", () => {
    expect(placed.composites.map(({ name }) => name)).to.deep.equal(["Read"]);
    expect(placed.steps.map(({ label }) => label)).to.deep.equal([
      "Impulse",
      "Files",
      "Check",
      "Write",
      "Letters",
    ]);
    const [frame] = placed.composites;
    expect(at("Read/Files").x + stepWidth).to.be.at.most((frame?.x ?? 0) + (frame?.width ?? 0));
  });

  it("goes downwards where the longest path has no room", () => {
    expect(longestPath(graph)).to.equal(4);
    expect([directionFor(graph, 2_000), directionFor(graph, 600)]).to.deep.equal(["LR", "TB"]);
  });

  it("neighbour() follows the arrow keys and ends at the edge", () => {
    expect(neighbour(placed, "Read/Files", "ArrowRight")).to.equal("Check");
    expect(neighbour(placed, "Check", "ArrowLeft")).to.equal("Read/Files");
    expect(neighbour(placed, "Read/Impulse", "ArrowLeft")).to.equal(null);
  });

  it("pathThrough() begins and ends at the ends", () => {
    const path = pathThrough([
      { x: 0, y: 0 },
      { x: 10.04, y: 0 },
      { x: 20, y: 8 },
    ]);
    expect(path).to.equal("M0,0Q10,0 15,4L20,8");
  });
});

describe("back-pressure", () => {
  it("a busy step behind a full queue is the bottleneck, those before it are blocked", () => {
    const figures = [
      figure("Check", { inPerSecond: 10, blockedShare: 0.6 }),
      figure("Write", { inPerSecond: 10, busyShare: 0.97, queueFill: 0.9 }),
      figure("Letters", {}),
    ];
    expect(figures.map(standingOf)).to.deep.equal(["blocked", "bottleneck", "idle"]);
    expect(limitSentence(graph, { atMs: 0, steps: figures })).to.equal(
      "Back-pressure: Write is busy behind a full queue; one step waits for it.",
    );
  });

  it("says when all keep up, when nothing flows, and when nothing is known", () => {
    expect(limitSentence(graph, { atMs: 0, steps: [figure("Check", { inPerSecond: 3 })] })).to.equal(
      "No back-pressure: every step keeps up.",
    );
    expect(limitSentence(graph, { atMs: 0, steps: [figure("Check", {})] })).to.equal(
      "No elements are flowing.",
    );
    expect(limitSentence(graph, null)).to.equal("Figures come with the first elements.");
  });
});

function step(id: string): GraphStep {
  const composites = id.includes("/") ? [id.slice(0, id.indexOf("/"))] : [];
  const base = {
    urn: "beam:transform:pardo:v1",
    kind: "parDo",
    stage: "1",
    hasState: false,
    hasTimers: false,
  } as const;
  return { id, name: id, composites, doFn: null, ...base };
}

function figure(id: string, known: Partial<StepFigures>): StepFigures {
  return {
    id,
    elementsIn: 0,
    elementsOut: 0,
    inPerSecond: 0,
    outPerSecond: 0,
    busyShare: null,
    blockedShare: null,
    queueFill: null,
    watermarkMs: null,
    stateBytes: null,
    timers: null,
    counters: {},
    ...known,
  };
}
