/** Scenarios of TestStream in which triggers and lateness decide what is emitted. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { GLOBAL_WINDOW_END_MS } from "../../transforms/primitives/timestamp-bounds.js";
import {
  afterCount,
  afterProcessingTime,
  afterWatermark,
  defaultTrigger,
  never,
} from "../../transforms/primitives/triggers.js";
import { fixedWindows, globalWindows } from "../../transforms/primitives/window-fns.js";
import { count, sum } from "./support/combine-fns.js";
import { grouped, keyed } from "./support/grouping.js";
import { into } from "./support/into.js";
import {
  collect,
  expectElements,
  expectInOrder,
  expectOutputs,
  expectPanes,
  runModel,
} from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { at, kv } from "./support/sources.js";

const CATEGORY = "TestStream";
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

scenariosOf(CATEGORY, () => {
  scenario(
    CATEGORY,
    "accumulates late elements within the allowed lateness, and drops those behind it",
    ["TestStream", "allowed lateness", "accumulating panes"],
    async () => {
      const script = testStream<number>()
        .addElements(at(0, 1), at(0, 2), at(0, 3))
        .advanceWatermarkTo(6 * MINUTE_MS)
        .addElements(at(0, 4))
        .addElements(at(0, 5))
        .advanceWatermarkTo(20 * MINUTE_MS)
        .addElements(at(0, -1), at(0, -2), at(0, -3))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const windowed = root
          .apply(withName("Stream", script))
          .apply(
            into("Window", fixedWindows(5 * MINUTE_MS), {
              trigger: afterWatermark({
                early: afterProcessingTime({ delayMs: 2 * MINUTE_MS }),
                late: afterCount(1),
              }),
              accumulation: "accumulating",
              allowedLatenessMs: 5 * MINUTE_MS,
              closingBehavior: "emit-always",
            }),
          )
          .apply(keyed("all"));
        grouped(windowed).apply(collect("groups"));
        windowed.apply(count()).apply(collect("counts"));
        windowed.apply(sum()).apply(collect("sums"));
      });
      const window = `0/${5 * MINUTE_MS}`;
      const panes = run.collected("groups");
      expect(panes[0]).to.deep.include({ value: kv("all", [1, 2, 3]) });
      expect(panes[0]!.pane).to.include({ timing: "ON_TIME", isFirst: true, isLast: false });
      expect(panes.at(-1)).to.deep.include({ value: kv("all", [1, 2, 3, 4, 5]) });
      expect(panes.at(-1)!.pane).to.include({ timing: "LATE", isLast: true });
      expect(new Set(panes.map((pane) => pane.window.id))).to.deep.equal(new Set([window]));
      const late = ["LATE", "LATE", "LATE"];
      expect(run.collected("counts").map(({ pane }) => pane.timing)).to.deep.equal(["ON_TIME", ...late]);
      expectInOrder(
        run,
        "counts",
        [3, 4, 5, 5].map((count) => kv("all", count)),
      );
      expectInOrder(
        run,
        "sums",
        [6, 10, 15, 15].map((sum) => kv("all", sum)),
      );
    },
  );

  scenario(
    CATEGORY,
    "moves processing time only by its events",
    ["TestStream", "processing-time trigger", "accumulating panes"],
    async () => {
      const script = testStream<number>()
        .addElements(at(1000, 1), at(2000, 2))
        .advanceProcessingTime(12 * MINUTE_MS)
        .addElements(at(3000, 3))
        .advanceProcessingTime(6 * MINUTE_MS)
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", script))
          .apply(
            into("Window", globalWindows(), {
              trigger: afterWatermark({ early: afterProcessingTime({ delayMs: 5 * MINUTE_MS }) }),
              accumulation: "accumulating",
            }),
          )
          .apply(keyed("all"))
          .apply(sum())
          .apply(collect("sums")),
      );
      expectPanes(run, "sums", [
        { value: kv("all", 3), timing: "EARLY" },
        { value: kv("all", 6), timing: "EARLY" },
        { value: kv("all", 6), timing: "ON_TIME" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "parts what panes discard: early, on time, and late until the end",
    ["TestStream", "discarding panes", "composite triggers"],
    async () => {
      const script = testStream<string>()
        .advanceWatermarkTo(0)
        .addElements(at(100, "first"), at(200, "also first"))
        .addElements(at(500, "on time"))
        .advanceWatermarkTo(1000)
        .addElements(at(750, "late"), at(250, "also late"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        grouped(
          root
            .apply(withName("Stream", script))
            .apply(
              into("Window", fixedWindows(1000), {
                trigger: afterWatermark({ early: afterCount(2), late: never() }),
                accumulation: "discarding",
                allowedLatenessMs: 5000,
              }),
            )
            .apply(keyed("all")),
        ).apply(collect("groups")),
      );
      expectPanes(run, "groups", [
        { value: kv("all", ["also first", "first"]), window: "0/1000", timing: "EARLY", isLast: false },
        { value: kv("all", ["on time"]), window: "0/1000", timing: "ON_TIME", isLast: false },
        { value: kv("all", ["also late", "late"]), window: "0/1000", timing: "LATE", isLast: true },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a first element that is too late opens no window",
    ["TestStream", "allowed lateness"],
    async () => {
      const script = testStream<string>()
        .advanceWatermarkTo(0)
        .addElements(at(-1_000_000, "late"))
        .addElements(at(100, "on time"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        grouped(
          root
            .apply(withName("Stream", script))
            .apply(
              into("Window", fixedWindows(1000), {
                trigger: defaultTrigger(),
                accumulation: "discarding",
                allowedLatenessMs: 5000,
              }),
            )
            .apply(keyed("all")),
        ).apply(collect("groups")),
      );
      expectElements(run, "groups", [{ value: kv("all", ["on time"]), window: "0/1000" }]);
    },
  );

  scenario(
    CATEGORY,
    "windows hold elements at the end of time",
    ["TestStream", "fixed windows"],
    async () => {
      const script = testStream<string>()
        .addElements(at(GLOBAL_WINDOW_END_MS, "foo"), at(GLOBAL_WINDOW_END_MS, "bar"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        grouped(
          root
            .apply(withName("Stream", script))
            .apply(into("Window", fixedWindows(6 * HOUR_MS)))
            .apply(keyed("all")),
        ).apply(collect("groups")),
      );
      expectOutputs(run, "groups", [kv("all", ["bar", "foo"])]);
      const startMs = Math.floor(GLOBAL_WINDOW_END_MS / (6 * HOUR_MS)) * 6 * HOUR_MS;
      expect(run.collected("groups")[0]!.window.id.split("/")[0]).to.equal(String(startMs));
    },
  );

  scenario(
    CATEGORY,
    "gives an early pane for each wait, and one on time",
    ["TestStream", "processing-time trigger", "panes"],
    async () => {
      const script = testStream<number>()
        .addElements(at(1000, 1))
        .advanceProcessingTime(6 * MINUTE_MS)
        .addElements(at(2000, 2))
        .advanceProcessingTime(6 * MINUTE_MS)
        .addElements(at(3000, 3))
        .advanceProcessingTime(6 * MINUTE_MS)
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", script))
          .apply(
            into("Window", fixedWindows(30 * MINUTE_MS), {
              trigger: afterWatermark({ early: afterProcessingTime({ delayMs: 5 * MINUTE_MS }) }),
              accumulation: "accumulating",
            }),
          )
          .apply(keyed("key"))
          .apply(sum())
          .apply(collect("sums")),
      );
      const window = `0/${30 * MINUTE_MS}`;
      expectPanes(run, "sums", [
        { value: kv("key", 1), window, timing: "EARLY", index: 0 },
        { value: kv("key", 3), window, timing: "EARLY", index: 1 },
        { value: kv("key", 6), window, timing: "EARLY", index: 2 },
        { value: kv("key", 6), window, timing: "ON_TIME", index: 3 },
      ]);
    },
  );
});
