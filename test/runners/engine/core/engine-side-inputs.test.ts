/** Side inputs in the engine: readiness, contents, and what is forgotten. */
import { assert } from "chai";
import { NO_FIRING, type Window } from "../../../../runners/engine/element.js";
import { FiredPane } from "../../../../runners/engine/pane-tracker.js";
import { type Behaviour, elementOf } from "./fake-host.js";
import { fixed, GraphBuilder, type SideOptions } from "./graph-builder.js";
import { runTable } from "./run-table.js";

/** Says what its side input holds for the element's window. */
const reading = (map: (main: Window) => Window = (main) => main): Behaviour => ({
  element: (element, { emit, log, engine }) => {
    log(`  reads ${engine.sideInput("Main", "s", map(element.windows[0]!)).join(",")}`.trim());
    emit(element);
  },
});

/** `text#index#source` is of a pane that a trigger fired, anything else is not. */
const panes: Behaviour = {
  isSilent: true,
  element: ({ value, timestampMs, windows }, { emit }) => {
    const [text = "", index, source = ""] = (value as string).split("#");
    const pane = index === undefined ? NO_FIRING : new FiredPane("EARLY", Number(index), -1, false, source);
    emit(elementOf(text, timestampMs, windows[0]!, pane));
  },
};

const withSide = (side: Partial<SideOptions> = {}) =>
  new GraphBuilder()
    .source("In")
    .source("Side")
    .stage("Main", "In", { sides: [{ name: "s", from: "Side", ...side }] });

const windowed = { windowOf: fixed(10), behaviours: { Main: reading() } };

describe("Engine: side inputs", () => {
  it("block the elements of a window until their own watermark is past it; those hold the output", () => {
    runTable(
      withSide({ allowedLatenessMs: 100 }),
      `
      In a@1 b@12 watermark 30
      show Main
        Main 1
      Side x@2 y@13 z@3 watermark 9
      show Main
        Main 1
      Side watermark 10
        Main: a@1
        reads x,z
      show Main
        Main 12
      In c@4
        Main: c@4
        reads x,z
      Side end
        Main: b@12
        reads y
      show Main
        Main 30
      In end
      done?
        yes`,
      windowed,
    );
  });

  it("that are empty are ready with their watermark", () => {
    runTable(
      withSide(),
      `
      Side watermark 10
      In a@1
        Main: a@1
        reads`,
      windowed,
    );
  });

  it("of the global window are ready when nothing more comes", () => {
    runTable(
      withSide(),
      `
      In a@1 b@50 watermark 100
      Side x@1 watermark 1000
      Side end
        Main: a@1 b@50
        reads x
        reads x`,
      { behaviours: { Main: reading() } },
    );
  });

  it("with a trigger are ready with their first pane, and a later pane takes the place of the earlier", () => {
    runTable(
      new GraphBuilder()
        .source("In")
        .source("Raw")
        .stage("Side", "Raw")
        .stage("Main", "In", { sides: [{ name: "s", from: "Side", isTriggered: true }] }),
      `
      In a@1 b@12
      Raw one#0@2
        Main: a@1
        reads one
      Raw two#1@3 also#1@3 old#0@3
      In c@4
        Main: c@4
        reads two,also`,
      { windowOf: fixed(10), behaviours: { Main: reading(), Side: panes } },
    );
  });

  it("keep the latest pane of each that fires by itself, and all that nothing fired", () => {
    runTable(
      new GraphBuilder()
        .source("In")
        .source("Raw")
        .stage("Side", "Raw")
        .stage("Main", "In", { sides: [{ name: "s", from: "Side" }] }),
      `
      Raw x1#0#x@2 y1#0#y@2 x2#1#x@3 plain@3 plain@3 watermark 10
      In a@1
        Main: a@1
        reads x2,y1,plain,plain
      Raw y2#1#y@4
      In b@1
        Main: b@1
        reads x2,y2,plain,plain`,
      { windowOf: fixed(10), behaviours: { Main: reading(), Side: panes } },
    );
  });

  it("are there for elements that are late, as long as their allowed lateness says", () => {
    const graph = (allowedLatenessMs: number) =>
      new GraphBuilder()
        .source("In")
        .source("Side")
        .stage("Main", "In", { sides: [{ name: "s", from: "Side" }], allowedLatenessMs });
    runTable(
      graph(5),
      `
      Side x@1 watermark 20
      In a@1 watermark 14
        Main: a@1
        reads x
      In b@2
        Main: b@2
        reads x
      In watermark 15
      In c@3
      counters?
        Main droppedDueToLateness 1`,
      windowed,
    );
  });

  it("are forgotten when no element can read them any more; an element that still comes is dropped and counted", () => {
    const { engine } = runTable(
      withSide(),
      `
      Side x@1 y@11 watermark 30
      In a@1
        Main: a@1
        reads x
      In watermark 9
      In watermark 10
      In late@2
      In b@11
        Main: b@11
        reads y
      counters?
        Main droppedDueToLateness 1`,
      windowed,
    );
    const held = (start: number) => engine.sideInput("Main", "s", fixed(10)(start));
    assert.deepEqual([held(1), held(11)], [[], ["y"]]);
  });

  it("stay for the windows that map to an earlier one", () => {
    const before = (main: Window) => fixed(10)(main.maxTimestampMs - 10);
    runTable(
      withSide({ mapWindow: before }),
      `
      Side x@1 y@11 watermark 30
      In a@11 watermark 12
        Main: a@11
        reads x
      In b@12 watermark 19
        Main: b@12
        reads x
      In c@20
        Main: c@20
        reads y`,
      { windowOf: fixed(10), behaviours: { Main: reading(before) } },
    );
  });

  it("are not looked at again for what waits while nothing of them moves", () => {
    let mapped = 0;
    const mapWindow = (main: Window) => {
      mapped++;
      return main;
    };
    const run = runTable(withSide({ mapWindow }), "Side watermark 0", { windowOf: fixed(10) });
    for (let ms = 0; ms < 1000; ms += 10) run.act(`In a@${ms}`);
    const before = mapped;
    for (let ms = 0; ms < 100; ms++) run.act(`clock ${ms}`);
    assert.equal(mapped, before);
    assert.lengthOf(run.act("Side end"), 100);
  });

  it("block stateful steps too: their windows do not expire meanwhile", () => {
    runTable(
      new GraphBuilder()
        .source("In")
        .source("Side")
        .keyed("Main", "In", {}, { sides: [{ name: "s", from: "Side" }] }),
      `
      In k:a@1 end
      show Main
        Main 1
      Side x@1 end
        Main k: k:a@1
      counters?
      done?
        yes`,
      { windowOf: fixed(10) },
    );
  });

  it("give lists that stay as they are when more comes", () => {
    const run = runTable(withSide(), "Side x@1", windowed);
    const side = () => run.engine.sideInput("Main", "s", fixed(10)(1));
    const before = side();
    run.act("Side y@2");
    assert.deepEqual([before, side()], [["x"], ["x", "y"]]);
  });
});
