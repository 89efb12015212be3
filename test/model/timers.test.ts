/** Scenarios of timers: when they fire, in which order, with which time, and how they are set and cleared. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { bagState, valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../transforms/primitives/timer-spec.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { IntervalWindow, KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { localParDo, parDo } from "./support/local-do-fn.js";
import {
  collect,
  expectElements,
  expectInOrder,
  expectOutputs,
  expectPanes,
  runModel,
} from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, elementsAt, kv, streamed } from "./support/sources.js";
import {
  clear,
  say,
  setEvent,
  setOtherEvent,
  setProcessing,
  type TimerOrder,
  TimerScriptFn,
} from "./support/timer-script.js";

type Orders = KV<string, readonly TimerOrder[]>;

const timers = () => parDo<Orders, KV<string, string>>("Timers", () => new TimerScriptFn());

/** One element of the key "a". */
const order = (timestampMs: number, ...orders: TimerOrder[]) => at(timestampMs, kv("a", orders));

const script = () => testStream<Orders>();

/** Sets itself again, `periodMs` later, until it has fired `times` times. */
class LoopFn implements DoFn<KV<string, unknown>> {
  readonly loop = eventTimeTimer();
  readonly fired = valueState<number>();

  constructor(
    readonly periodMs: number,
    readonly times: number,
  ) {}

  process(_element: KV<string, unknown>, context: ProcessContext): void {
    context.timer(this.loop).set(Math.max(0, context.timestampMs) + this.periodMs);
  }

  onTimer({ fireAtMs }: FiredTimer, context: ElementContext): void {
    const fired = (context.state(this.fired).read() ?? 0) + 1;
    context.state(this.fired).write(fired);
    context.output(fired);
    if (fired < this.times) context.timer(this.loop).set(fireAtMs + this.periodMs);
  }
}

/** Two timers, each of which sets the other one ms later, up to `endMs`. */
class PingPongFn implements DoFn<KV<string, unknown>> {
  readonly ping = eventTimeTimer();
  readonly pong = eventTimeTimer();
  readonly endMs: number;

  constructor(endMs: number) {
    this.endMs = endMs;
  }

  process(_element: KV<string, unknown>, context: ProcessContext): void {
    context.timer(this.ping).set(1);
  }

  onTimer({ family, fireAtMs }: FiredTimer, context: ElementContext): void {
    context.output(`${family} ${fireAtMs}`);
    if (fireAtMs < this.endMs) context.timer(family === "ping" ? this.pong : this.ping).set(fireAtMs + 1);
  }
}

/** Keeps values and emits all of them, sorted, when its timer fires `afterMs` after the first one. */
class BufferFn implements DoFn<KV<string, number>> {
  readonly buffer = bagState<number>();
  readonly flush = eventTimeTimer();
  readonly afterMs: number;

  constructor(afterMs: number) {
    this.afterMs = afterMs;
  }

  process({ value }: KV<string, number>, context: ProcessContext): void {
    const buffer = context.state(this.buffer);
    if (buffer.isEmpty()) context.timer(this.flush).setRelative(this.afterMs);
    buffer.add(value);
  }

  onTimer(_timer: FiredTimer, context: ElementContext): void {
    const buffer = context.state(this.buffer);
    context.output(
      kv(
        context.key,
        [...buffer.read()].sort((a, b) => a - b),
      ),
    );
    buffer.clear();
  }
}

scenariosOf("timers", (it) => {
  it("an event-time timer of bounded input fires with its own timestamp", ["event-time timers"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", [say("element"), setEvent(100)])])
        .apply(timers())
        .apply(collect("out")),
    );
    expectPanes(run, "out", [
      { value: kv("a", "element"), timestampMs: MIN_TIMESTAMP_MS },
      { value: kv("a", "event"), timestampMs: 100 },
    ]);
  });

  it(
    "an event-time timer fires once the watermark has passed it, not when it gets there",
    ["event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(0, say("element"), setEvent(10)))
            .advanceWatermarkTo(10)
            .addElements(order(10, say("at 10")))
            .advanceWatermarkTo(11)
            .addElements(order(11, say("at 11")))
            .advanceWatermarkToInfinity(),
        )
          .apply(timers())
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", "element"), timestampMs: 0 },
        { value: kv("a", "at 10"), timestampMs: 10 },
        { value: kv("a", "event"), timestampMs: 10 },
        { value: kv("a", "at 11"), timestampMs: 11 },
      ]);
    },
  );

  it("every key has timers of its own", ["event-time timers"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", [setEvent(1)]), kv("b", [setEvent(2)]), kv("c", [say("no timer")])])
        .apply(timers())
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", "event"), timestampMs: 1 },
      { value: kv("b", "event"), timestampMs: 2 },
      { value: kv("c", "no timer"), timestampMs: MIN_TIMESTAMP_MS },
    ]);
  });

  it("a relative event-time timer counts from the element's time", ["event-time timers"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [[kv("a", [{ say: "", family: "event" as const, after: 7 }]), 100]])
        .apply(timers())
        .apply(collect("out")),
    );
    expectPanes(run, "out", [{ value: kv("a", "event"), timestampMs: 107 }]);
  });

  it("a timer fires in the window it was set in", ["event-time timers", "sliding windows"], async () => {
    const run = await runModel((root) => {
      const end = eventTimeTimer();
      elementsAt(root, [
        [kv("a", 1), 7],
        [kv("a", 2), 12],
      ])
        .apply(withName("Window", windowInto(slidingWindows({ sizeMs: 10, periodMs: 5 }))))
        .apply(
          parDo("End", () => ({
            end,
            process: (_element: KV<string, number>, context: ProcessContext) =>
              context.timer(end).set(context.window.maxTimestampMs),
            onTimer: ({ fireAtMs }: FiredTimer, context: ElementContext) =>
              context.output([fireAtMs, (context.window as IntervalWindow).startMs]),
          })),
        )
        .apply(collect("out"));
    });
    expectElements(run, "out", [
      { value: [9, 0], window: "0/10", timestampMs: 9 },
      { value: [14, 5], window: "5/15", timestampMs: 14 },
      { value: [19, 10], window: "10/20", timestampMs: 19 },
    ]);
  });

  it("a timer may set itself again and again", ["looping timers", "event-time timers"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 0)])
        .apply(parDo("Loop", () => new LoopFn(10, 5)))
        .apply(collect("out")),
    );
    expectPanes(
      run,
      "out",
      [1, 2, 3, 4, 5].map((value) => ({ value, timestampMs: 10 * value })),
    );
  });

  it(
    "a looping timer goes one step at a time with the watermark",
    ["looping timers", "event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(0, kv("a", 0)))
            .advanceWatermarkTo(25)
            .addElements(at(26, kv("b", 0)))
            .advanceWatermarkTo(31)
            .advanceWatermarkToInfinity(),
        )
          .apply(parDo("Loop", () => new LoopFn(10, 4)))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        ...[1, 2, 3, 4].map((value) => ({ value, timestampMs: 10 * value })),
        ...[1, 2, 3, 4].map((value) => ({ value, timestampMs: 26 + 10 * value })),
      ]);
      const times = run.collected("out").map(({ timestampMs }) => timestampMs);
      expect(times.slice(0, 3)).to.deep.equal([10, 20, 30]);
    },
  );

  it(
    "of an event-time timer that is set again only the last setting fires",
    ["event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(0, setEvent(10)))
            .advanceWatermarkTo(5)
            .addElements(order(5, setEvent(20)))
            .advanceWatermarkTo(15)
            .addElements(order(15, say("at 15")))
            .advanceWatermarkTo(21)
            .addElements(order(21, say("at 21")))
            .advanceWatermarkToInfinity(),
        )
          .apply(timers())
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", "at 15"), timestampMs: 15 },
        { value: kv("a", "event"), timestampMs: 20 },
        { value: kv("a", "at 21"), timestampMs: 21 },
      ]);
    },
  );

  it("an event-time timer may be set again to an earlier time", ["event-time timers"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [[kv("a", [setEvent(90), setEvent(30)]), 0]])
        .apply(timers())
        .apply(collect("out")),
    );
    expectPanes(run, "out", [{ value: kv("a", "event"), timestampMs: 30 }]);
  });

  it(
    "timers of a key fire in the order of their times, whatever their families",
    ["event-time timers"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [
          [
            kv("a", [
              setEvent(30, { tag: "c" }),
              setOtherEvent(20, { tag: "b" }),
              setEvent(10, { tag: "a" }),
              setOtherEvent(40, { tag: "d" }),
            ]),
            0,
          ],
        ])
          .apply(timers())
          .apply(collect("out")),
      );
      expectInOrder(
        run,
        "out",
        ["event a", "otherEvent b", "event c", "otherEvent d"].map((value) => kv("a", value)),
      );
    },
  );

  it(
    "timers fire in the order of their times although the watermark passes all of them at once",
    ["event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(0, setEvent(50, { tag: "x" })), order(1, setEvent(5, { tag: "y" })))
            .advanceWatermarkTo(2)
            .addElements(order(3, setEvent(7, { tag: "z" })))
            .advanceWatermarkTo(100)
            .addElements(order(100, say("after")))
            .advanceWatermarkToInfinity(),
        )
          .apply(timers())
          .apply(collect("out")),
      );
      expectInOrder(
        run,
        "out",
        ["event y", "event z", "event x", "after"].map((value) => kv("a", value)),
      );
    },
  );

  it("two timers may set each other", ["looping timers", "event-time timers"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [[kv("a", 0), 0]])
        .apply(parDo("PingPong", () => new PingPongFn(6)))
        .apply(collect("out")),
    );
    expectInOrder(run, "out", ["ping 1", "pong 2", "ping 3", "pong 4", "ping 5", "pong 6"]);
  });

  it(
    "two timers may set each other while the watermark moves on",
    ["looping timers", "event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(0, kv("a", 0)))
            .advanceWatermarkTo(3)
            .advanceWatermarkTo(5)
            .advanceWatermarkToInfinity(),
        )
          .apply(parDo("PingPong", () => new PingPongFn(6)))
          .apply(collect("out")),
      );
      expectInOrder(run, "out", ["ping 1", "pong 2", "ping 3", "pong 4", "ping 5", "pong 6"]);
    },
  );

  it(
    "a timer set for a time that has passed fires at once",
    ["event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .advanceWatermarkTo(20)
            .addElements(order(2, say("late"), setEvent(5)))
            .addElements(order(21, say("next")))
            .advanceWatermarkToInfinity(),
        )
          .apply(timers())
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", "late"), timestampMs: 2 },
        { value: kv("a", "event"), timestampMs: 5 },
        { value: kv("a", "next"), timestampMs: 21 },
      ]);
    },
  );

  it(
    "an event-time timer may be set behind the window's end, as far as late elements are allowed",
    ["event-time timers", "allowed lateness", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(5, setEvent(15)))
            .advanceWatermarkTo(15)
            .addElements(order(15, say("at 15")))
            .advanceWatermarkTo(16)
            .addElements(order(16, say("at 16")))
            .advanceWatermarkToInfinity(),
        )
          .apply(withName("Window", windowInto(fixedWindows(10), { allowedLatenessMs: 10 })))
          .apply(timers())
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", "at 15"), window: "10/20" },
        { value: kv("a", "event"), window: "0/10" },
        { value: kv("a", "at 16"), window: "10/20" },
      ]);
    },
  );

  it(
    "a timer's callback reads and clears the state of its key",
    ["event-time timers", "bag state"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [
          [kv("a", 3), 1],
          [kv("b", 9), 2],
          [kv("a", 1), 2],
          [kv("a", 2), 14],
        ])
          .apply(withName("Window", windowInto(fixedWindows(10))))
          .apply(parDo("Buffer", () => new BufferFn(5)))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: kv("a", [1, 3]), timestampMs: 6, window: "0/10" },
        { value: kv("b", [9]), timestampMs: 7, window: "0/10" },
        { value: kv("a", [2]), timestampMs: 19, window: "10/20" },
      ]);
    },
  );

  it(
    "elements that come after a timer has fired begin a new buffer",
    ["event-time timers", "bag state", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(1, kv("a", 1)), at(2, kv("a", 2)))
            .advanceWatermarkTo(12)
            .addElements(at(13, kv("a", 3)))
            .advanceWatermarkToInfinity(),
        )
          .apply(parDo("Buffer", () => new BufferFn(10)))
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", [1, 2]), timestampMs: 11 },
        { value: kv("a", [3]), timestampMs: 23 },
      ]);
    },
  );

  it("a timer's callback may emit to tagged outputs", ["event-time timers", "ParDo"], async () => {
    const run = await runModel((root) => {
      const timer = eventTimeTimer();
      const { main, fired } = elementsAt(root, [[kv("a", 1), 5]]).apply(
        withName(
          "Tagged",
          localParDo<KV<string, number>, { main: string; fired: string }>(
            () => ({
              timer,
              process(_element: KV<string, number>, context: ProcessContext) {
                context.timer(timer).set(8);
                context.output("element");
              },
              onTimer: (_timer: FiredTimer, context: ElementContext) => context.outputTo("fired", "timer"),
            }),
            { outputs: ["main", "fired"] },
          ),
        ),
      );
      main.apply(collect("main"));
      fired.apply(collect("fired"));
    });
    expectPanes(run, "main", [{ value: "element", timestampMs: 5 }]);
    expectPanes(run, "fired", [{ value: "timer", timestampMs: 8 }]);
  });

  it(
    "a timer behind a GroupByKey fires for the groups, and none of them counts as late",
    ["event-time timers", "GroupByKey", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const timer = eventTimeTimer();
        const size = valueState<number>();
        elementsAt(root, [
          [kv("a", 1), 1],
          [kv("a", 2), 2],
          [kv("b", 3), 3],
          [kv("a", 4), 14],
        ])
          .apply(withName("Window", windowInto(fixedWindows(10))))
          .apply(withName("Group", groupByKey<string, number>()))
          .apply(
            parDo("Timer", () => ({
              timer,
              size,
              process({ value }: KV<string, Iterable<number>>, context: ProcessContext) {
                context.state(size).write([...value].length);
                context.timer(timer).set(context.timestampMs);
              },
              onTimer: (_timer: FiredTimer, context: ElementContext) =>
                context.output(kv(context.key, context.state(size).read())),
            })),
          )
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: kv("a", 2), timestampMs: 9, window: "0/10" },
        { value: kv("b", 1), timestampMs: 9, window: "0/10" },
        { value: kv("a", 1), timestampMs: 19, window: "10/20" },
      ]);
    },
  );

  it(
    "clearing a timer that was never set does nothing",
    ["event-time timers", "processing-time timers"],
    async () => {
      const run = await runModel((root) =>
        elements(root, [kv("a", [clear("event"), clear("processing"), say("done")])])
          .apply(timers())
          .apply(collect("out")),
      );
      expectOutputs(run, "out", [kv("a", "done")]);
    },
  );

  it("a cleared event-time timer does not fire", ["event-time timers", "TestStream"], async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        script()
          .addElements(order(0, setEvent(10), setOtherEvent(10)))
          .advanceWatermarkTo(5)
          .addElements(order(5, clear("event")))
          .advanceWatermarkToInfinity(),
      )
        .apply(timers())
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", "otherEvent")]);
  });

  it("a timer set and cleared in one call does not fire", ["event-time timers"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [[kv("a", [setEvent(10), clear("event"), setOtherEvent(11)]), 0]])
        .apply(timers())
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", "otherEvent")]);
  });

  it("a timer cleared and set in one call fires", ["event-time timers"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [[kv("a", [setEvent(10), clear("event"), setEvent(12)]), 0]])
        .apply(timers())
        .apply(collect("out")),
    );
    expectPanes(run, "out", [{ value: kv("a", "event"), timestampMs: 12 }]);
  });

  it(
    "timers of one family are told apart by their tags",
    ["timer families", "event-time timers"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [
          [kv("a", [setEvent(10, { tag: "x" }), setEvent(20, { tag: "y" }), setEvent(15)]), 0],
          [kv("a", [setEvent(30, { tag: "x" })]), 1],
          [kv("a", [clear("event", "nothing of that tag")]), 2],
        ])
          .apply(timers())
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", "event"), timestampMs: 15 },
        { value: kv("a", "event y"), timestampMs: 20 },
        { value: kv("a", "event x"), timestampMs: 30 },
      ]);
    },
  );

  it("timers of two families may share a tag", ["timer families", "event-time timers"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        [kv("a", [setEvent(10, { tag: "x" }), setOtherEvent(20, { tag: "x" })]), 0],
        [kv("a", [clear("event", "x")]), 1],
      ])
        .apply(timers())
        .apply(collect("out")),
    );
    expectPanes(run, "out", [{ value: kv("a", "otherEvent x"), timestampMs: 20 }]);
  });

  it(
    "processing-time timers of a family fire by tag",
    ["timer families", "processing-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(3, setProcessing(50, { tag: "x" }), setProcessing(20, { tag: "y" })))
            .advanceProcessingTime(30)
            .addElements(order(4, say("between")))
            .advanceProcessingTime(30)
            .advanceWatermarkToInfinity(),
        )
          .apply(timers())
          .apply(collect("out")),
      );
      expectPanes(run, "out", [
        { value: kv("a", "processing y"), timestampMs: 3 },
        { value: kv("a", "between"), timestampMs: 4 },
        { value: kv("a", "processing x"), timestampMs: 3 },
      ]);
    },
  );

  it(
    "a processing-time timer fires by the clock, and the watermark does not matter",
    ["processing-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(3, setProcessing(100)))
            .advanceWatermarkTo(1_000_000)
            .advanceProcessingTime(99)
            .addElements(order(1_000_000, say("before")))
            .advanceProcessingTime(1)
            .addElements(order(1_000_001, say("after")))
            .advanceWatermarkToInfinity(),
        )
          .apply(timers())
          .apply(collect("out")),
      );
      expectInOrder(
        run,
        "out",
        ["before", "processing", "after"].map((value) => kv("a", value)),
      );
    },
  );

  it(
    "of a processing-time timer that is set again only the last setting fires",
    ["processing-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(order(1, setProcessing(10)))
            .advanceProcessingTime(5)
            .addElements(order(2, setProcessing(10)))
            .advanceProcessingTime(6)
            .addElements(order(3, say("11 ms after the first")))
            .advanceProcessingTime(10)
            .addElements(order(4, say("16 ms after the second")))
            .advanceWatermarkToInfinity(),
        )
          .apply(timers())
          .apply(collect("out")),
      );
      expectInOrder(
        run,
        "out",
        ["11 ms after the first", "processing", "16 ms after the second"].map((value) => kv("a", value)),
      );
    },
  );

  it("a cleared processing-time timer does not fire", ["processing-time timers", "TestStream"], async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        script()
          .addElements(order(1, setProcessing(10), setProcessing(10, { tag: "kept" })))
          .advanceProcessingTime(5)
          .addElements(order(2, clear("processing")))
          .advanceProcessingTime(100)
          .advanceWatermarkToInfinity(),
      )
        .apply(timers())
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", "processing kept")]);
  });

  it(
    "processing-time timers that are pending at the end fire in order, without waiting for the clock",
    ["processing-time timers", "drain"],
    async () => {
      const hour = 3_600_000;
      const run = await runModel((root) =>
        elements(root, [
          kv("a", [setProcessing(2 * hour, { tag: "later" }), setProcessing(hour, { tag: "sooner" })]),
        ])
          .apply(timers())
          .apply(collect("out")),
      );
      expectInOrder(run, "out", [kv("a", "processing sooner"), kv("a", "processing later")]);
    },
  );

  it(
    "a timer of a bounded input may wait for the clock and for the end",
    ["processing-time timers"],
    async () => {
      const run = await runModel((root) => {
        const wait = processingTimeTimer();
        elements(root, [kv("a", 1)])
          .apply(
            parDo("Wait", () => ({
              wait,
              process: (_element: KV<string, number>, context: ProcessContext) =>
                context.timer(wait).setRelative(0),
              onTimer: (_timer: FiredTimer, context: ElementContext) => context.output(context.key),
            })),
          )
          .apply(collect("out"));
      });
      expectOutputs(run, "out", ["a"]);
    },
  );
});
