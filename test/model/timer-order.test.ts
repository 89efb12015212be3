/** Scenarios of the order in which timers fire, of timers that set timers, and of those set again. */
import { expect } from "chai";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectInOrder, expectPanes, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, elementsAt, kv, streamed } from "./support/sources.js";
import { order, runTimers, say, script, setEvent, setOtherEvent } from "./support/timer-script.js";

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

scenariosOf("timers", (it) => {
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
      const run = await runTimers((root) =>
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
        ),
      );
      expectPanes(run, "out", [
        { value: kv("a", "at 15"), timestampMs: 15 },
        { value: kv("a", "event"), timestampMs: 20 },
        { value: kv("a", "at 21"), timestampMs: 21 },
      ]);
    },
  );

  it("an event-time timer may be set again to an earlier time", ["event-time timers"], async () => {
    const run = await runTimers((root) => elementsAt(root, [[kv("a", [setEvent(90), setEvent(30)]), 0]]));
    expectPanes(run, "out", [{ value: kv("a", "event"), timestampMs: 30 }]);
  });

  it(
    "timers of a key fire in the order of their times, whatever their families",
    ["event-time timers"],
    async () => {
      const run = await runTimers((root) =>
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
        ]),
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
      const run = await runTimers((root) =>
        streamed(
          root,
          script()
            .addElements(order(0, setEvent(50, { tag: "x" })), order(1, setEvent(5, { tag: "y" })))
            .advanceWatermarkTo(2)
            .addElements(order(3, setEvent(7, { tag: "z" })))
            .advanceWatermarkTo(100)
            .addElements(order(100, say("after")))
            .advanceWatermarkToInfinity(),
        ),
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
});
