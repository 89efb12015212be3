/** Expiration of windows in the engine: callbacks, state, and elements that come too late. */
import { assert } from "chai";
import { fixed, GraphBuilder } from "./graph-builder.js";
import { obedient, obeying, stateful } from "./obedient-step.js";
import { runTable, TableRun } from "./run-table.js";

describe("Engine: expiration", () => {
  const windowed = { ...obeying, windowOf: fixed(10) };

  it("calls back once for a key and window with state, behind its event-time timers, and removes state and timers", () => {
    const { engine } = runTable(
      stateful({ hasExpirationCallback: true }),
      `
      In k:+@1 k:+@2 k:t=9@2 k:p=5000>3@3 j:x@4 watermark 5
        S k: k:+@1 k:+@2 k:t=9@2 k:p=5000>3@3
        S j: j:x@4
      show S
        S 3
      In watermark 9
      In watermark 10
        S k: timer t at 9
        Out: t!@9
        S k: expiration [0,10)
        Out: gone:2@9
      show S
        S 10
      wake?
        never
      In k:+@5
      counters?
        S droppedDueToLateness 1`,
      windowed,
    );
    assert.isFalse(engine.state.has("S", "k", fixed(10)(1)));
  });

  it("waits for the allowed lateness, and so do late elements", () => {
    runTable(
      stateful({ hasExpirationCallback: true, allowedLatenessMs: 100 }),
      `
      In k:+@1 watermark 50
        S k: k:+@1
      show S
        S 50
      In k:+@2
        S k: k:+@2
      In watermark 109
      show S
        S 109
      In watermark 110
        S k: expiration [0,10)
        Out: gone:2@9
      show S
        S 110
      In k:+@3 k:+@12
        S k: k:+@12
      counters?
        S droppedDueToLateness 1`,
      windowed,
    );
  });

  it("without a callback forgets state and pending processing-time timers", () => {
    const { engine } = runTable(
      stateful(),
      `
      In k:+@1 k:p=5000>3@3 watermark 5
        S k: k:+@1 k:p=5000>3@3
      wake?
        5000
      In watermark 10
      wake?
        never
      clock 6000
      show S
        S 10`,
      windowed,
    );
    assert.isFalse(engine.state.has("S", "k", fixed(10)(1)));
  });

  it("at the end of time fires pending processing-time timers first, without waiting for the clock", () => {
    runTable(
      stateful({ hasExpirationCallback: true }),
      `
      In k:p=7000>3@1 k:pp=5000>2@1 k:t=8@1 k:+@1 watermark 2
        S k: k:p=7000>3@1 k:pp=5000>2@1 k:t=8@1 k:+@1
      In end
        S k: timer t at 8
        S k: timer pp at 5000
        S k: timer p at 7000
        S k: expiration [0,10)
      done?
        yes`,
      {
        ...windowed,
        behaviours: {
          S: {
            keyed: {
              ...obedient.keyed,
              // Event-time timers may still set others; what processing-time timers and expirations set is dropped.
              timer: ({ domain }, context) => {
                if (domain === "processing-time") context.set("t", 8);
              },
              expiration: (context) => context.set("p", 9000, { domain: "processing-time" }),
            },
          },
        },
      },
    );
  });

  it("holds the output until what expired has been emitted", () => {
    runTable(
      new GraphBuilder()
        .source("In")
        .keyed("S", "In", { hasExpirationCallback: true })
        .keyed("Next", "S", {}),
      `
      In k:+@1 end
        S k: k:+@1
        S k: expiration [0,10)
        Next k: k:last@9
      counters?`,
      {
        windowOf: fixed(10),
        behaviours: {
          S: {
            keyed: {
              element: (_, { cells }) => cells.bag("b").append(1),
              expiration: (context) =>
                context.emit({
                  value: { key: "k", value: "last" },
                  timestampMs: 9,
                  windows: [context.window],
                  pane: { timing: "UNKNOWN", isFirst: true, isLast: true, index: 0, nonSpeculativeIndex: 0 },
                }),
            },
          },
        },
      },
    );
  });

  it("loops event-time timers to the end of their window when the watermark jumps there", () => {
    runTable(
      stateful(),
      `
      In k:t=3@1 end
        S k: k:t=3@1
        S k: timer t at 3
        S k: timer t at 6
        S k: timer t at 9
      done?
        yes`,
      {
        windowOf: fixed(10),
        behaviours: {
          S: {
            keyed: {
              ...obedient.keyed,
              timer: ({ fireAtMs }, context) => {
                if (fireAtMs + 3 < 10) context.set("t", fireAtMs + 3);
              },
            },
          },
        },
      },
    );
  });

  it("waits for a timer of the window that is in flight, while other stages go on", () => {
    const run = new TableRun(
      new GraphBuilder().source("In").source("Other").keyed("S", "In").stage("A", "Other"),
      windowed,
    );
    run.settle();
    run.act("In k:+@1 k:t=3@1 watermark 2");
    run.engine.resume("In", "In");
    const { engine } = run;
    const nothing = { outputs: new Map(), timers: [], residuals: [] };
    engine.apply(engine.nextBundle()!, nothing);
    const firing = engine.nextBundle()!;
    engine.resume("Other", "Other");
    engine.apply(engine.nextBundle()!, nothing);
    const [window] = [fixed(10)(1)];
    assert.isTrue(engine.state.has("S", "k", window), "the timer may still read it");
    engine.apply(firing, nothing);
    assert.isFalse(engine.state.has("S", "k", window));
    assert.isTrue(engine.isDone);
  });

  it("keeps nothing of keys whose state is empty again", () => {
    const { engine } = runTable(
      stateful(),
      `
      In k:+@1 j:+@1
        S k: k:+@1
        S j: j:+@1
      In k:0@2
        S k: k:0@2`,
      windowed,
    );
    const [window] = [fixed(10)(1)];
    assert.deepEqual([engine.state.has("S", "k", window), engine.state.has("S", "j", window)], [false, true]);
  });
});

describe("Engine: late elements", () => {
  it("are dropped window by window and counted", () => {
    const late = (table: string) =>
      runTable(new GraphBuilder().source("In").stage("Slide", "In").keyed("S", "Slide"), table, {
        behaviours: {
          Slide: {
            element: (element, { emit }) =>
              emit({
                ...element,
                windows: [
                  { id: "[0,10)", maxTimestampMs: 9 },
                  { id: "[5,15)", maxTimestampMs: 14 },
                ],
              }),
          },
        },
      });
    late(`
      In watermark 8
      In k:a@7
        Slide: k:a@7
        S k: k:a@7 k:a@7
      In watermark 12
      In k:b@7
        Slide: k:b@7
        S k: k:b@7
      In watermark 15
      In k:c@7
        Slide: k:c@7
      counters?
        S droppedDueToLateness 3`);
  });
});
