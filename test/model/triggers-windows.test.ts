/** Scenarios of triggers in merging windows, of several keys, and through several groupings. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { GLOBAL_WINDOW_END_MS } from "../../transforms/primitives/timestamp-bounds.js";
import { afterCount, afterWatermark, repeatedly } from "../../transforms/primitives/triggers.js";
import { fixedWindows, globalWindows, sessions } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { grouped, keyed } from "./support/grouping.js";
import { into } from "./support/into.js";
import { collect, expectPanes, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { at, kv } from "./support/sources.js";
import { CATEGORY, elements, fires, numbered, runScript } from "./support/trigger-script.js";

scenariosOf(CATEGORY, () => {
  fires(
    "a late element that joins two emitted sessions gives one late pane of the merged one",
    ["session windows", "allowed lateness", "accumulating panes"],
    {
      script: elements(testStream<string>(), [0, "a"], [16, "c"])
        .advanceWatermarkTo(40)
        .addElements(at(8, "b"))
        .advanceWatermarkToInfinity(),
      windowFn: sessions(10),
      options: {
        trigger: afterWatermark({ late: afterCount(1) }),
        accumulation: "accumulating",
        allowedLatenessMs: 100,
        closingBehavior: "emit-if-non-empty",
      },
      panes: ["0/10 ON_TIME 0/0 [a] first", "16/26 ON_TIME 0/0 [c] first", "0/26 LATE 0/0 [a b c] first"],
    },
  );

  fires(
    "a session grows while the watermark has not passed its end",
    ["session windows", "watermark trigger"],
    {
      script: testStream<string>()
        .advanceWatermarkTo(0)
        .addElements(at(0, "a"))
        .advanceWatermarkTo(8)
        .addElements(at(9, "b"))
        .advanceWatermarkTo(17)
        .addElements(at(18, "c"))
        .advanceWatermarkToInfinity(),
      windowFn: sessions(10),
      options: {},
      panes: ["0/28 ON_TIME 0/0 [a b c] first last"],
    },
  );

  fires("a count in sessions goes on counting when they merge", ["session windows", "count trigger"], {
    script: elements(testStream<string>(), [0, "a"], [16, "c"], [8, "b"]).advanceWatermarkToInfinity(),
    windowFn: sessions(10),
    options: { trigger: repeatedly(afterCount(3)), accumulation: "discarding" },
    panes: ["0/26 EARLY 0/-1 [a b c] first", "0/26 ON_TIME 1/0 [] last"],
  });

  scenario(CATEGORY, "each key has panes of its own", ["count trigger", "panes"], async () => {
    const script = testStream<{ key: string; value: string }>()
      .addElements(at(1, kv("x", "x1")))
      .addElements(at(2, kv("y", "y1")))
      .addElements(at(3, kv("x", "x2")))
      .advanceWatermarkToInfinity();
    const run = await runModel((root) =>
      grouped(
        root.apply(withName("Stream", script)).apply(
          into("Window", globalWindows(), {
            trigger: repeatedly(afterCount(2)),
            accumulation: "discarding",
          }),
        ),
      ).apply(collect("panes")),
    );
    const panes = run.collected("panes").map(({ value, pane }) => ({ value, timing: pane.timing }));
    expect(panes[0]).to.deep.equal({ value: kv("x", ["x1", "x2"]), timing: "EARLY" });
    expect(panes.slice(1)).to.have.deep.members([
      { value: kv("x", []), timing: "ON_TIME" },
      { value: kv("y", ["y1"]), timing: "ON_TIME" },
    ]);
  });

  scenario(
    CATEGORY,
    "early, on-time and late panes have the time of their combiner",
    ["timestamp combiner"],
    async () => {
      const script = elements(testStream<string>(), [3, "a"], [1, "b"])
        .advanceWatermarkTo(4)
        .addElements(at(6, "c"))
        .advanceWatermarkTo(10)
        .addElements(at(5, "late"))
        .advanceWatermarkToInfinity();
      const run = await runScript(script, {
        trigger: afterWatermark({ early: afterCount(2), late: afterCount(1) }),
        accumulation: "discarding",
        allowedLatenessMs: 100,
        closingBehavior: "emit-if-non-empty",
        timestampCombiner: "earliest",
      });
      expectPanes(run, "panes", [
        { value: kv("k", ["a", "b"]), timing: "EARLY", timestampMs: 1 },
        { value: kv("k", ["c"]), timing: "ON_TIME", timestampMs: 6 },
        { value: kv("k", ["late"]), timing: "LATE", timestampMs: 9 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "panes pass through a second grouping one by one",
    ["count trigger", "GroupByKey"],
    async () => {
      const run = await runModel((root) => {
        const first = grouped(
          root
            .apply(withName("Stream", numbered(3).advanceWatermarkToInfinity()))
            .apply(
              into("Window", globalWindows(), {
                trigger: repeatedly(afterCount(1)),
                accumulation: "discarding",
                onTimeBehavior: "fire-if-non-empty",
                closingBehavior: "emit-if-non-empty",
              }),
            )
            .apply(keyed("k")),
          "First",
        );
        grouped(first, "Second").apply(collect("panes"));
      });
      expectPanes(run, "panes", [
        { value: kv("k", [["1"]]), timing: "EARLY", index: 0, timestampMs: GLOBAL_WINDOW_END_MS },
        { value: kv("k", [["2"]]), timing: "EARLY", index: 1, timestampMs: GLOBAL_WINDOW_END_MS },
        { value: kv("k", [["3"]]), timing: "EARLY", index: 2, timestampMs: GLOBAL_WINDOW_END_MS },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a trigger that fires more than once must be told what panes hold",
    ["composite triggers"],
    () => {
      expect(() => windowInto(fixedWindows(10), { trigger: repeatedly(afterCount(1)) })).to.throw(
        /accumulation/,
      );
    },
  );
});
