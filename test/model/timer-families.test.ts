/** Scenarios of timer families, tags, and of clearing timers. */
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectOutputs, expectPanes, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, elementsAt, kv, streamed } from "./support/sources.js";
import {
  clear,
  say,
  setEvent,
  setOtherEvent,
  type TimerOrder,
  TimerScriptFn,
} from "./support/timer-script.js";

type Orders = KV<string, readonly TimerOrder[]>;

const timers = () => parDo<Orders, KV<string, string>>("Timers", () => new TimerScriptFn());

/** One element of the key "a". */
const order = (timestampMs: number, ...orders: TimerOrder[]) => at(timestampMs, kv("a", orders));

const script = () => testStream<Orders>();

scenariosOf("timers", (it) => {
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
});
