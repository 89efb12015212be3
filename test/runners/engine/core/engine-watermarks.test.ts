/** Watermarks and the distribution of elements in a graph. */
import { assert } from "chai";
import { Engine } from "../../../../runners/engine/engine.js";
import { GraphBuilder } from "./graph-builder.js";
import { runTable, TableRun } from "./run-table.js";

describe("Engine: watermarks", () => {
  it("pass through stages in a line, and wait for nothing", () => {
    runTable(
      new GraphBuilder().source("In").stage("A", "In").redistribute("R", "A").stage("B", "R"),
      `
      show In A R B
        In min
        A min
        R min
        B min
      In a@1 b@5
        A: a@1 b@5
        B: a@1 b@5
      In watermark 7
      show In A R B
        In 7
        A 7
        R 7
        B 7
      In late@3
        A: late@3
        B: late@3
      show B
        B 7
      done?
        no
      In end
      show In A R B
        In max
        A max
        R max
        B max
      done?
        yes
      wake?
        never`,
    );
  });

  it("are the least of all inputs where PCollections come together", () => {
    runTable(
      new GraphBuilder().source("X").source("Y").stage("Both", ["X", "Y"]),
      `
      X a@1 watermark 10
        Both/X: a@1
      show Both
        Both min
      Y watermark 4
      show Both
        Both 4
      Y b@8 watermark 20
        Both/Y: b@8
      show Both
        Both 10
      X end
      show Both
        Both 20
      Y end
      show Both
        Both max
      done?
        yes`,
    );
  });

  it("of a diamond meet again, and every branch gets every element", () => {
    runTable(
      new GraphBuilder().source("In").stage("L", "In").stage("R", "In").stage("Join", ["L", "R"]),
      `
      In a@1 b@2 watermark 3
        R: a@1 b@2
        Join/R: a@1 b@2
        L: a@1 b@2
        Join/L: a@1 b@2
      show Join
        Join 3`,
    );
  });

  it("wait for the elements that wait for a stage", () => {
    const run = new TableRun(new GraphBuilder().source("In").stage("A", "In").stage("B", "A"));
    run.settle();
    const { engine } = run;
    // The source's bundle is applied, A's is taken and not applied.
    engine.resume("In", "In");
    const source = engine.nextBundle()!;
    const [window] = [{ id: "w", maxTimestampMs: 100 }];
    const pane = {
      timing: "UNKNOWN",
      isFirst: true,
      isLast: true,
      index: 0,
      nonSpeculativeIndex: 0,
    } as const;
    const element = { value: "a", timestampMs: 5, windows: [window], pane };
    engine.apply(source, { outputs: new Map([["In", [element]]]), timers: [], residuals: [] });
    assert.deepEqual([engine.watermark("In"), engine.watermark("A")], [9223372036854774, 5]);
    const inFlight = engine.nextBundle()!;
    assert.strictEqual(inFlight.inputs[0]!.kind === "elements" && inFlight.inputs[0]!.elements[0], element);
    assert.isUndefined(engine.nextBundle(), "a stage's bundles run one at a time");
    assert.equal(engine.watermark("A"), 5);
    assert.isFalse(engine.isDone);
    engine.apply(inFlight, { outputs: new Map(), timers: [], residuals: [] });
    assert.equal(engine.watermark("B"), 9223372036854774);
    assert.isTrue(engine.isDone);
    assert.throws(
      () => engine.apply(inFlight, { outputs: new Map(), timers: [], residuals: [] }),
      `bundle ${inFlight.id} of stage A is not in flight`,
    );
  });

  it("cut long arrays at elementsMax, and let time move piece by piece", () => {
    runTable(
      new GraphBuilder().source("In").stage("A", "In").keyed("S", "A"),
      `
      In k:a@1 k:b@2 k:c@3 k:d@4 k:e@5 watermark 6
        A: k:a@1 k:b@2
        S k: k:a@1 k:b@2
        A: k:c@3 k:d@4
        S k: k:c@3 k:d@4
        A: k:e@5
        S k: k:e@5
      show S
        S 6`,
      { elementsMax: 2 },
    );
  });

  it("do not go back: a restriction whose watermark does is an error that names both", () => {
    const run = new TableRun(new GraphBuilder().source("In"));
    run.settle();
    run.act("In watermark 10");
    assert.throws(() => run.act("In watermark 9"), "watermark of a restriction of In went back: 10 → 9");
  });
});

describe("Engine: graphs that are none", () => {
  const build = (builder: GraphBuilder) => () => new Engine(builder.graph, { processingTimeMs: 0 });

  it("names a consumer before its producer", () => {
    const builder = new GraphBuilder().stage("A", "In").source("In");
    assert.throws(build(builder), "A reads PCollection In, which no node before it makes");
  });

  it("names a PCollection of two producers", () => {
    const builder = new GraphBuilder().impulse("X").stage("A", "X", { outputs: ["X"] });
    assert.throws(build(builder), "node A makes PCollection X, as an earlier node does");
  });

  it("names what a result does not fit", () => {
    const { engine } = new TableRun(new GraphBuilder().impulse("X").stage("A", "X"));
    const bundle = engine.nextBundle()!;
    const nothing = { outputs: new Map(), timers: [], residuals: [] };
    assert.throws(
      () => engine.apply(bundle, { ...nothing, outputs: new Map([["B", []]]) }),
      "stage A has no output B",
    );
    assert.throws(() => engine.watermark("Y"), "the graph has no PCollection Y");
    assert.throws(
      () => engine.sideInput("A", "s", { id: "w", maxTimestampMs: 0 }),
      "step A has no side input s",
    );
    assert.throws(() => engine.resume("A", "A"), "root A of stage A is not splittable");
    assert.throws(() => engine.nextBundle({ elementsMax: 0 }), "`elementsMax` must be at least 1, got 0");
  });
});
