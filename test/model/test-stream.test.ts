/** Scenarios of TestStream: a script of elements, watermarks and processing time, played one event after the other. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { combinePerKey } from "../../transforms/primitives/combine-per-key.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../transforms/primitives/timer-spec.js";
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../transforms/primitives/timestamp-bounds.js";
import {
  afterCount,
  afterProcessingTime,
  afterWatermark,
  defaultTrigger,
  never,
} from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { COUNT, SUM } from "./support/combine-fns.js";
import { at, both, grouped, keyed, kv } from "./support/grouping.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import {
  collect,
  expectElements,
  expectInOrder,
  expectOutputs,
  expectPanes,
  runModel,
  runToFailure,
} from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";

const CATEGORY = "TestStream";
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Appends what comes, and emits all of it at 100 s. */
class AppendFn implements DoFn<KV<string, string>> {
  readonly seen = valueState<string>();
  readonly emit = eventTimeTimer();

  process({ value }: KV<string, string>, context: ProcessContext): void {
    const seen = context.state(this.seen);
    const earlier = seen.read();
    seen.write(earlier === undefined ? value : `${earlier},${value}`);
    context.timer(this.emit).set(100 * SECOND_MS);
  }

  onTimer(_timer: unknown, context: ElementContext): void {
    context.output(context.state(this.seen).read());
  }
}

/** Emits what came, and 50 ms of processing time later that the timer fired. */
class WaitFn implements DoFn<KV<string, string>> {
  readonly wait = processingTimeTimer();

  process({ value }: KV<string, string>, context: ProcessContext): void {
    context.output(value);
    context.timer(this.wait).setRelative(50);
  }

  onTimer(_timer: unknown, context: ElementContext): void {
    context.output("timer");
  }
}

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
            withName(
              "Window",
              windowInto(fixedWindows(5 * MINUTE_MS), {
                trigger: afterWatermark({
                  early: afterProcessingTime({ delayMs: 2 * MINUTE_MS }),
                  late: afterCount(1),
                }),
                accumulation: "accumulating",
                allowedLatenessMs: 5 * MINUTE_MS,
                closingBehavior: "emit-always",
              }),
            ),
          )
          .apply(keyed("all"));
        grouped(windowed).apply(collect("groups"));
        windowed
          .apply(withName("Count", combinePerKey<string, number, number>(COUNT, null)))
          .apply(collect("counts"));
        windowed
          .apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)))
          .apply(collect("sums"));
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
            withName(
              "Window",
              windowInto(globalWindows(), {
                trigger: afterWatermark({ early: afterProcessingTime({ delayMs: 5 * MINUTE_MS }) }),
                accumulation: "accumulating",
              }),
            ),
          )
          .apply(keyed("all"))
          .apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)))
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
              withName(
                "Window",
                windowInto(fixedWindows(1000), {
                  trigger: afterWatermark({ early: afterCount(2), late: never() }),
                  accumulation: "discarding",
                  allowedLatenessMs: 5000,
                }),
              ),
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
              withName(
                "Window",
                windowInto(fixedWindows(1000), {
                  trigger: defaultTrigger(),
                  accumulation: "discarding",
                  allowedLatenessMs: 5000,
                }),
              ),
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
            .apply(withName("Window", windowInto(fixedWindows(6 * HOUR_MS))))
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
            withName(
              "Window",
              windowInto(fixedWindows(30 * MINUTE_MS), {
                trigger: afterWatermark({ early: afterProcessingTime({ delayMs: 5 * MINUTE_MS }) }),
                accumulation: "accumulating",
              }),
            ),
          )
          .apply(keyed("key"))
          .apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)))
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

  scenario(
    CATEGORY,
    "plays the next event when all that follows from the last has passed every stage",
    ["TestStream", "value state", "event-time timers", "Flatten"],
    async () => {
      const script = testStream<string>()
        .addElements("before")
        .advanceWatermarkTo(0)
        .addElements(at(10 * SECOND_MS, "after"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const input = root.apply(withName("Stream", script));
        const upper = grouped(
          input
            .apply(withName("Seconds", windowInto(fixedWindows(SECOND_MS))))
            .apply(mapping("Pair", (text: string) => kv(text, text))),
        )
          .apply(mapping("Upper", ({ key }: KV<string, string[]>) => key.toUpperCase()))
          .apply(withName("Rewindow", windowInto(globalWindows())));
        both("Both", [input, upper])
          .apply(keyed("key"))
          .apply(parDo<KV<string, string>, string>("Append", () => new AppendFn()))
          .apply(collect("seen"));
      });
      expectOutputs(run, "seen", ["before,BEFORE,after,AFTER"]);
    },
  );

  scenario(
    CATEGORY,
    "gives elements without a time that of its watermark",
    ["TestStream", "timestamps"],
    async () => {
      const script = testStream<string>()
        .addElements("start")
        .advanceWatermarkTo(70)
        .addElements("behind", at(75, "timed"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => root.apply(withName("Stream", script)).apply(collect("elements")));
      expectPanes(run, "elements", [
        { value: "start", timestampMs: MIN_TIMESTAMP_MS },
        { value: "behind", timestampMs: 70 },
        { value: "timed", timestampMs: 75 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "holds processing-time timers until its clock moves",
    ["TestStream", "processing-time timers"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "a"))
        .advanceWatermarkTo(10)
        .addElements(at(11, "b"))
        .advanceProcessingTime(51)
        .addElements(at(12, "c"))
        .advanceProcessingTime(51)
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", script))
          .apply(keyed("key"))
          .apply(parDo<KV<string, string>, string>("Wait", () => new WaitFn()))
          .apply(collect("seen")),
      );
      expectInOrder(run, "seen", ["a", "b", "timer", "c", "timer"]);
    },
  );

  scenario(CATEGORY, "ends though it never says so", ["TestStream"], async () => {
    const script = testStream<string>().addElements(at(1, "a"), at(2, "b"));
    const run = await runModel((root) =>
      grouped(
        root
          .apply(withName("Stream", script))
          .apply(withName("Window", windowInto(fixedWindows(10))))
          .apply(keyed("all")),
      ).apply(collect("groups")),
    );
    expectOutputs(run, "groups", [kv("all", ["a", "b"])]);
  });

  scenario(CATEGORY, "with no elements gives none", ["TestStream"], async () => {
    const script = testStream<string>().advanceWatermarkTo(5).advanceWatermarkToInfinity();
    const run = await runModel((root) =>
      grouped(root.apply(withName("Stream", script)).apply(keyed("all"))).apply(collect("groups")),
    );
    expectOutputs(run, "groups", []);
  });

  scenario(CATEGORY, "refuses an element at positive infinity", ["TestStream"], () => {
    const script = testStream<number>().addElements(at(MAX_TIMESTAMP_MS - 1, -1));
    expect(() => script.addElements(at(MAX_TIMESTAMP_MS, 1))).to.throw(String(MAX_TIMESTAMP_MS));
  });

  scenario(CATEGORY, "refuses a watermark that goes back", ["TestStream"], () => {
    const script = testStream<number>().advanceWatermarkTo(0);
    expect(() => script.advanceWatermarkTo(-1)).to.throw(/watermark.*-1/);
  });

  scenario(CATEGORY, "refuses a watermark at infinity by its number", ["TestStream"], () => {
    const script = testStream<number>().advanceWatermarkTo(MAX_TIMESTAMP_MS - 1);
    expect(() => script.advanceWatermarkTo(MAX_TIMESTAMP_MS)).to.throw(/advanceWatermarkToInfinity/);
  });

  scenario(CATEGORY, "a second one in a pipeline is refused by name", ["TestStream"], async () => {
    const script = testStream<string>().addElements(at(1, "a")).advanceWatermarkToInfinity();
    await runToFailure((root) => {
      root.apply(withName("First", script)).apply(collect("first"));
      root.apply(withName("Second", script)).apply(collect("second"));
    }, /several TestStreams \(First, Second\)/);
  });
});
