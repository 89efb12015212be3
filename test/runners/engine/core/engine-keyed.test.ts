/** Stateful steps in the engine: batches by key, timers, expiration, late elements, sorted input. */
import { assert } from "chai";
import type { Behaviour, KeyedContext } from "./fake-host.js";
import { fixed, GraphBuilder } from "./graph-builder.js";
import { runTable, type TableOptions } from "./run-table.js";

const stateful = (keyed: Parameters<GraphBuilder["keyed"]>[2] = {}) =>
  new GraphBuilder().source("In").keyed("S", "In", keyed).stage("Out", "S");

/** Elements are commands: `t=10` sets, `t=10>5` holds at 5, `p=10>5` sets in processing time, `-t` clears, `+` is state. */
const obey = (command: string, context: KeyedContext): void => {
  const setting = /^([a-z]+)=(\d+)(?:>(\d+))?$/.exec(command);
  if (setting !== null) {
    const [, family = "", at = "", hold] = setting;
    context.set(family, Number(at), {
      domain: family.startsWith("p") ? "processing-time" : "event-time",
      outputTimestampMs: Number(hold ?? at),
    });
  } else if (command.startsWith("-")) {
    context.clear(command.slice(1));
  } else if (command === "+") {
    context.cells.bag("count").append(1);
  } else if (command === "0") {
    context.cells.bag("count").clear();
  }
};

const obedient: Behaviour = {
  keyed: {
    element: ({ value }, context) => obey((value as { value: string }).value, context),
    timer: ({ family, outputTimestampMs }, context) => context.say(`${family}!`, outputTimestampMs),
    expiration: (context) =>
      context.say(`gone:${context.cells.bag("count").size}`, context.window.maxTimestampMs),
  },
};
const obeying: TableOptions = { behaviours: { S: obedient } };

const looping = (timer: NonNullable<Behaviour["keyed"]>["timer"]): TableOptions => ({
  behaviours: { S: { keyed: { ...obedient.keyed, ...(timer === undefined ? {} : { timer }) } } },
});

describe("Engine: batches by key", () => {
  it("hold each key's elements together, in the order of their coming", () => {
    runTable(
      stateful(),
      `
      In a:1@5 b:2@4 a:3@3 a:4@9 watermark 1
        S a: a:1@5 a:3@3 a:4@9
        S b: b:2@4
        Out: a:1@5 a:3@3 a:4@9 b:2@4`,
    );
  });
});

describe("Engine: timers", () => {
  it("of event time fire when the watermark is past them, in order, and hold the output until then", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 k:u=7@1 watermark 3
        S k: k:t=10@1 k:u=7@1
      show S
        S 3
      In watermark 7
      show S
        S 7
      In watermark 9
        S k: timer u at 7
        Out: u!@7
      show S
        S 9
      In watermark 10
      show S
        S 10
      In watermark 50
        S k: timer t at 10
        Out: t!@10
      show S
        S 50`,
      obeying,
    );
  });

  it("set again replace the earlier setting, and cleared ones do not fire", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 k:u=12@1 watermark 2
        S k: k:t=10@1 k:u=12@1
      In k:t=20@3 k:-u@3 watermark 3
        S k: k:t=20@3 k:-u@3
      In watermark 15
      show S
        S 15
      In watermark 21
        S k: timer t at 20
        Out: t!@20
      In watermark 30`,
      obeying,
    );
  });

  it("cleared by the element that came with the watermark do not fire, although due", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 watermark 2
        S k: k:t=10@1
      In k:-t@15 watermark 20
        S k: k:-t@15
      show S
        S 20`,
      obeying,
    );
  });

  it("of processing time fire when the clock is there, and hold the output at their output time", () => {
    runTable(
      stateful(),
      `
      In k:p=1000>4@4 watermark 50
        S k: k:p=1000>4@4
      wake?
        1000
      show S
        S 4
      clock 999
      clock 1000
        S k: timer p at 1000
        Out: p!@4
      show S
        S 50
      wake?
        never`,
      obeying,
    );
  });

  it("loop within one epoch, each seeing what the one before has set", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 watermark 2
        S k: k:t=10@1
      In watermark 41
        S k: timer t at 10
        S k: timer t at 20
        S k: timer t at 30
        S k: timer t at 40
      show S
        S 41
      In watermark 51
        S k: timer t at 50`,
      looping(({ fireAtMs }, context) => context.set("t", fireAtMs + 10)),
    );
  });

  it("of one key fire one by one: the first may clear the second or set one before it", () => {
    runTable(
      stateful(),
      `
      In k:a=10@1 k:b=20@1 k:d=40@1 j:b=20@1 watermark 2
        S k: k:a=10@1 k:b=20@1 k:d=40@1
        S j: j:b=20@1
      In watermark 100
        S k: timer a at 10
        S j: timer b at 20
        S k: timer c at 30
        S k: timer d at 40`,
      looping(({ family }, context) => {
        if (family !== "a") return;
        context.clear("b");
        context.set("c", 30);
      }),
    );
  });

  it("that are due at the same time fire in the order of their setting", () => {
    runTable(
      stateful(),
      `
      In k:c=10@1 k:a=10@1 k:b=10@1 watermark 11
        S k: k:c=10@1 k:a=10@1 k:b=10@1
        S k: timer c at 10
        Out: c!@10
        S k: timer a at 10
        Out: a!@10
        S k: timer b at 10
        Out: b!@10`,
      obeying,
    );
  });

  it("behind the watermark do not pull it back", () => {
    runTable(
      stateful(),
      `
      In watermark 50
      In k:t=10@5
        S k: k:t=10@5
        S k: timer t at 10
        Out: t!@10
      In k:p=90>8@5
        S k: k:p=90>8@5
      In watermark 60
      show S
        S 50
      clock 90
        S k: timer p at 90
        Out: p!@8
      show S
        S 60`,
      obeying,
    );
  });
});

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

describe("Engine: time-sorted input", () => {
  it("holds the elements until the watermark is past them, then gives them in the order of their times", () => {
    runTable(
      stateful({ isTimeSorted: true }),
      `
      In k:c@5 k:a@2 j:x@4 k:b@3 watermark 1
      show S
        S 1
      In watermark 3
        S k: k:a@2
        Out: k:a@2
      show S
        S 3
      In watermark 6
        S k: k:b@3 k:c@5
        S j: j:x@4
        Out: k:b@3 k:c@5 j:x@4
      In k:late@1
        S k: k:late@1
        Out: k:late@1
      In k:d@9 end
        S k: k:d@9
        Out: k:d@9
      done?
        yes`,
    );
  });

  it("gives elements and timers in the order of their times", () => {
    runTable(
      stateful({ isTimeSorted: true }),
      `
      In k:t=4@1 k:x@4 k:y@6 watermark 2
        S k: k:t=4@1
      In watermark 10
        S k: k:x@4
        S k: timer t at 4
        Out: t!@4
        S k: k:y@6
      show S
        S 10`,
      obeying,
    );
  });

  it("lets what is held come before its window expires", () => {
    runTable(
      stateful({ isTimeSorted: true, hasExpirationCallback: true }),
      `
      In k:+@8 k:+@1 end
        S k: k:+@1 k:+@8
        S k: expiration [0,10)
        Out: gone:2@9
      done?
        yes`,
      { ...obeying, windowOf: fixed(10) },
    );
  });
});
