/** Scenarios of timer families, tags, and of clearing timers. */
import { expectOutputs, expectPanes } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, elementsAt, kv, streamed } from "./support/sources.js";
import { clear, order, runTimers, say, script, setEvent, setOtherEvent } from "./support/timer-script.js";

scenariosOf("timers", (it) => {
  it(
    "clearing a timer that was never set does nothing",
    ["event-time timers", "processing-time timers"],
    async () => {
      const run = await runTimers((root) =>
        elements(root, [kv("a", [clear("event"), clear("processing"), say("done")])]),
      );
      expectOutputs(run, "out", [kv("a", "done")]);
    },
  );

  it("a cleared event-time timer does not fire", ["event-time timers", "TestStream"], async () => {
    const run = await runTimers((root) =>
      streamed(
        root,
        script()
          .addElements(order(0, setEvent(10), setOtherEvent(10)))
          .advanceWatermarkTo(5)
          .addElements(order(5, clear("event")))
          .advanceWatermarkToInfinity(),
      ),
    );
    expectOutputs(run, "out", [kv("a", "otherEvent")]);
  });

  it("a timer set and cleared in one call does not fire", ["event-time timers"], async () => {
    const run = await runTimers((root) =>
      elementsAt(root, [[kv("a", [setEvent(10), clear("event"), setOtherEvent(11)]), 0]]),
    );
    expectOutputs(run, "out", [kv("a", "otherEvent")]);
  });

  it("a timer cleared and set in one call fires", ["event-time timers"], async () => {
    const run = await runTimers((root) =>
      elementsAt(root, [[kv("a", [setEvent(10), clear("event"), setEvent(12)]), 0]]),
    );
    expectPanes(run, "out", [{ value: kv("a", "event"), timestampMs: 12 }]);
  });

  it(
    "timers of one family are told apart by their tags",
    ["timer families", "event-time timers"],
    async () => {
      const run = await runTimers((root) =>
        elementsAt(root, [
          [kv("a", [setEvent(10, { tag: "x" }), setEvent(20, { tag: "y" }), setEvent(15)]), 0],
          [kv("a", [setEvent(30, { tag: "x" })]), 1],
          [kv("a", [clear("event", "nothing of that tag")]), 2],
        ]),
      );
      expectPanes(run, "out", [
        { value: kv("a", "event"), timestampMs: 15 },
        { value: kv("a", "event y"), timestampMs: 20 },
        { value: kv("a", "event x"), timestampMs: 30 },
      ]);
    },
  );

  it("timers of two families may share a tag", ["timer families", "event-time timers"], async () => {
    const run = await runTimers((root) =>
      elementsAt(root, [
        [kv("a", [setEvent(10, { tag: "x" }), setOtherEvent(20, { tag: "x" })]), 0],
        [kv("a", [clear("event", "x")]), 1],
      ]),
    );
    expectPanes(run, "out", [{ value: kv("a", "otherEvent x"), timestampMs: 20 }]);
  });
});
