/** Sources in the engine: restrictions and what is left of them, test streams, draining. */
import { assert } from "chai";
import type { TestStreamEvent } from "../../../../runners/engine/engine-graph.js";
import { type Behaviour, elementOf, type KeyedContext, type SplittableContext } from "./fake-host.js";
import { fixed, GLOBAL, GraphBuilder, parseValue } from "./graph-builder.js";
import { runTable, TableRun } from "./run-table.js";

/** Counts from 0 to 3, one number a bundle, each resumed `delayMs` later; its watermark is the next number's. */
const counting = (delayMs: number): Behaviour => ({
  restriction: ({ element, restriction, isTruncated }, { emit, rest, bundle }: SplittableContext) => {
    const next = (restriction?.value as number | undefined) ?? 0;
    if (isTruncated) return;
    emit(elementOf(`n${next}`, next * 10, GLOBAL));
    if (next === 3) return;
    const watermarkMs = (next + 1) * 10;
    rest({
      element,
      restriction: next + 1,
      watermarkState: null,
      watermarkMs,
      resumeAtMs: bundle.processingTimeMs + delayMs,
    });
  },
});

const counter = () => new GraphBuilder().impulse("Start").splittable("Count", "Start").stage("Out", "Count");

describe("Engine: restrictions", () => {
  it("resume when the clock is there, with their watermark on the output", () => {
    const run = new TableRun(counter(), { behaviours: { Count: counting(100) } });
    assert.deepEqual(run.settle(), ["Count: impulse begins", "Out: n0@0"]);
    assert.deepEqual(run.act("show Start Count Out"), ["Start max", "Count 10", "Out 10"]);
    assert.deepEqual(run.act("wake?"), ["100"]);
    assert.deepEqual(run.act("clock 99"), []);
    assert.deepEqual(run.act("clock 100"), ["Count: impulse 1", "Out: n1@10"]);
    assert.deepEqual(run.act("show Count"), ["Count 20"]);
    assert.deepEqual(run.act("wake?"), ["200"]);
    run.engine.resume("Count", "Count");
    assert.deepEqual(run.act("wake?"), ["100"], "resumed: now");
    assert.deepEqual(run.act("run"), ["Count: impulse 2", "Out: n2@20"]);
    assert.deepEqual(run.act("clock 300"), ["Count: impulse 3", "Out: n3@30"]);
    assert.deepEqual(run.act("show Out"), ["Out max"]);
    assert.isTrue(run.engine.isDone);
  });

  it("that are ready at once come when nothing else is ready, one a bundle", () => {
    const run = new TableRun(counter(), { behaviours: { Count: counting(0) } });
    assert.deepEqual(run.settle(), [
      "Count: impulse begins",
      "Out: n0@0",
      "Count: impulse 1",
      "Out: n1@10",
      "Count: impulse 2",
      "Out: n2@20",
      "Count: impulse 3",
      "Out: n3@30",
    ]);
  });

  it("stand still with restrictionsMax 0, while the rest comes to its end", () => {
    const { engine } = new TableRun(counter());
    assert.isUndefined(engine.nextBundle({ restrictionsMax: 0 }));
    const bundle = engine.nextBundle()!;
    assert.deepEqual(
      bundle.inputs.map(({ root }) => root),
      ["Count"],
    );
  });

  it("of two sources take turns", () => {
    const run = new TableRun(new GraphBuilder().impulse("X").splittable("A", "X").splittable("B", "X"), {
      behaviours: { A: counting(0), B: counting(0) },
    });
    assert.deepEqual(
      run
        .settle()
        .map((line) => line[0])
        .join(""),
      "ABABABAB",
    );
  });

  it("of two roots in one stage take turns", () => {
    const builder = new GraphBuilder().impulse("X");
    const root = { input: "X", kind: "splittable", sideInputs: [] } as const;
    builder.nodes.push({
      kind: "stage",
      id: "Both",
      roots: [
        { ...root, id: "A" },
        { ...root, id: "B" },
      ],
      outputs: ["Both"],
    });
    const run = new TableRun(builder, { behaviours: { A: counting(0), B: counting(0) } });
    assert.deepEqual(
      run
        .settle()
        .map((line) => line[0])
        .join(""),
      "ABABABAB",
    );
  });

  it("of a late element do not pull the watermark back", () => {
    const rest: Behaviour = {
      restriction: ({ element, restriction }, { rest }) => {
        if (restriction !== undefined) return;
        rest({
          element,
          restriction: "rest",
          watermarkState: null,
          watermarkMs: element.timestampMs,
          resumeAtMs: 50,
        });
      },
    };
    runTable(
      new GraphBuilder().source("In").splittable("Split", "In"),
      `
      In watermark 30
      In f@5
        Split: f begins
      In watermark 40
      show Split
        Split 30
      clock 50
        Split: f "rest"
      show Split
        Split 40`,
      { behaviours: { Split: rest } },
    );
  });

  it("hold the output at their elements before they begin, and each part by itself", () => {
    const parts: Behaviour = {
      restriction: ({ element, restriction }, { rest, emit }) => {
        if (restriction !== undefined) {
          emit(element);
          return;
        }
        const resumed = { element, watermarkState: null, watermarkMs: element.timestampMs };
        rest({ ...resumed, restriction: "late", resumeAtMs: 50 });
        rest({ ...resumed, restriction: "early", resumeAtMs: 20, watermarkMs: 7 });
      },
    };
    runTable(
      new GraphBuilder().source("In").splittable("Split", "In"),
      `
      In f@5 watermark 30
        Split: f begins
      show Split
        Split 5
      clock 20
        Split: f "early"
      show Split
        Split 5
      clock 50
        Split: f "late"
      show Split
        Split 30`,
      { behaviours: { Split: parts } },
    );
  });
});

describe("Engine.drain", () => {
  it("gives restrictions once more, truncated, and ends time: timers by event time, then by processing time", () => {
    const timers: Behaviour = {
      keyed: {
        element: (_, context: KeyedContext) => {
          context.set("e", 100);
          context.set("p", 5000, { domain: "processing-time", outputTimestampMs: 1 });
          context.cells.bag("b").append(1);
        },
      },
    };
    runTable(
      new GraphBuilder()
        .impulse("Start")
        .splittable("Count", "Start")
        .source("In")
        .keyed("S", "In", { hasExpirationCallback: true }),
      `
      In k:a@1 watermark 2
        S k: k:a@1
      wake?
        1000
      drain
        Count: impulse 1 truncated
        S k: timer e at 100
        S k: timer p at 5000
        S k: expiration global
      done?
        yes
      wake?
        never`,
      { behaviours: { Count: counting(1000), S: timers } },
    );
  });
});

describe("Engine: test streams", () => {
  const elements = (...texts: string[]): TestStreamEvent => ({
    kind: "elements",
    tag: "In",
    elements: texts.map((text) => {
      const [value = "", time = ""] = text.split("@");
      return { value: parseValue(value), timestampMs: Number(time), window: fixed(10)(Number(time)) };
    }),
  });
  const watermark = (watermarkMs: number): TestStreamEvent => ({ kind: "watermark", tag: "In", watermarkMs });
  const advance = (advanceMs: number): TestStreamEvent => ({ kind: "processing-time", advanceMs });
  const timers: Behaviour = {
    keyed: {
      element: ({ timestampMs }, context) => {
        context.set("e", timestampMs + 2);
        context.set("p", context.bundle.processingTimeMs + 100, {
          domain: "processing-time",
          outputTimestampMs: timestampMs,
        });
      },
    },
  };
  const script = (...events: TestStreamEvent[]) =>
    new GraphBuilder().testStream("T", ["In"], events).keyed("S", "In", { allowedLatenessMs: 10 });

  it("play the next event when nothing is ready, and end behind the last", () => {
    const events = [
      elements("k:a@1"),
      watermark(3),
      watermark(4),
      advance(99),
      elements("k:b@2"),
      advance(1),
    ];
    const run = new TableRun(script(...events), { behaviours: { S: timers } });
    assert.deepEqual(
      run.settle(),
      [
        "S k: k:a@1",
        "S k: timer e at 3",
        // Late: its timer is due at once, and replaces the processing-time timer of the first.
        "S k: k:b@2",
        // The clock stands at 100: the last event is the end of the stream, so that the timer need not wait.
        "S k: timer p at 199",
      ].toSpliced(3, 0, "S k: timer e at 4"),
    );
    assert.isTrue(run.engine.isDone);
  });

  it("move processing time by their events alone", () => {
    const run = new TableRun(script(elements("k:a@1"), advance(100), watermark(2), elements("k:b@3")), {
      behaviours: { S: timers },
    });
    run.engine.advanceProcessingTime(50_000);
    assert.equal(run.engine.processingTimeMs, 0);
    assert.deepEqual(run.settle(), [
      "S k: k:a@1",
      "S k: timer p at 100",
      "S k: k:b@3",
      "S k: timer e at 5",
      "S k: timer p at 200",
    ]);
  });

  it("stop where they are when the pipeline drains", () => {
    const run = new TableRun(script(elements("k:a@1"), watermark(2), elements("k:never@3")), {
      behaviours: { S: timers },
    });
    const { engine } = run;
    const first = engine.nextBundle()!;
    engine.apply(first, { outputs: new Map(), timers: [], residuals: [] });
    assert.deepEqual(run.act("drain"), []);
    assert.isTrue(engine.isDone);
  });

  it("wait for a bundle in flight", () => {
    const { engine } = new TableRun(script(elements("k:a@1"), watermark(5)));
    engine.nextBundle();
    assert.isUndefined(engine.nextBundle());
    assert.equal(engine.watermark("In"), -9223372036854774);
  });

  it("refuse a watermark that goes back, a tag they do not have, and a second stream", () => {
    const back = new TableRun(script(watermark(5), watermark(4)));
    assert.throws(() => back.settle(), "watermark of PCollection In went back: 5 → 4");
    assert.throws(
      () => new TableRun(new GraphBuilder().testStream("T", ["Other"], [watermark(1)])),
      'test stream T has an event for the tag "In", but no such output',
    );
    assert.throws(
      () => new TableRun(new GraphBuilder().testStream("T", ["A"], []).testStream("U", ["B"], [])),
      "a graph can have one test stream, but T and U are two",
    );
  });
});
