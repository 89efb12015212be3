/** Scenarios of triggers, panes and lateness: when a window is emitted, how often, and what each pane says of itself. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { GLOBAL_WINDOW_END_MS } from "../../transforms/primitives/timestamp-bounds.js";
import {
  afterAll,
  afterCount,
  afterEach,
  afterFirst,
  afterProcessingTime,
  afterWatermark,
  defaultTrigger,
  never,
  orFinally,
  repeatedly,
} from "../../transforms/primitives/triggers.js";
import { fixedWindows, globalWindows, sessions } from "../../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../../transforms/primitives/window-into.js";
import { at, grouped, keyed, kv } from "./support/grouping.js";
import type { ModelFeature } from "./support/model-features.js";
import { collect, expectPanes, type ModelRun, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";

const CATEGORY = "triggers";

type Stream = ReturnType<typeof testStream<string>>;
type Features = readonly [ModelFeature, ...ModelFeature[]];

/** A pane as scenarios write it: timing, index/non-speculative index, values; "last" if it says that it is the last. */
type PaneText = string;

/** Groups what the script emits under one key. */
function runScript(
  script: Stream,
  options: WindowingOptions,
  windowFn: Parameters<typeof windowInto>[0] = fixedWindows(10),
): Promise<ModelRun> {
  return runModel((root) =>
    grouped(
      root
        .apply(withName("Stream", script))
        .apply(withName("Window", windowInto(windowFn, options)))
        .apply(keyed("k")),
    ).apply(collect("panes")),
  );
}

/** The panes in their order, each as `<window> <timing> <index>/<non-speculative index> [values] (first) (last)`. */
function paneTexts(run: ModelRun): PaneText[] {
  return run.collected("panes").map(({ value, window, pane }) => {
    const { value: values } = value as { value: string[] };
    const marks = `${pane.isFirst ? " first" : ""}${pane.isLast ? " last" : ""}`;
    const indexes = `${pane.index}/${pane.nonSpeculativeIndex}`;
    return `${window.id} ${pane.timing} ${indexes} [${values.join(" ")}]${marks}`;
  });
}

/** A scenario of one script, in windows of 10 ms unless told otherwise. */
function fires(
  name: string,
  features: Features,
  setting: {
    readonly script: Stream;
    readonly options: WindowingOptions;
    readonly windowFn?: Parameters<typeof windowInto>[0];
    readonly panes: readonly PaneText[];
  },
): void {
  scenario(CATEGORY, name, features, async () => {
    const run = await runScript(setting.script, setting.options, setting.windowFn);
    expect(paneTexts(run)).to.deep.equal(setting.panes);
  });
}

/** Elements one by one, so that each arrives in a bundle of its own. */
function elements(
  script: Stream,
  ...values: readonly (readonly [timestampMs: number, value: string])[]
): Stream {
  return values.reduce((stream, [timestampMs, value]) => stream.addElements(at(timestampMs, value)), script);
}

/** Every element is on time for the global window. */
function numbered(count: number): Stream {
  return elements(
    testStream<string>().advanceWatermarkTo(0),
    ...Array.from({ length: count }, (_, index) => [index, String(index + 1)] as const),
  );
}

scenariosOf(CATEGORY, () => {
  fires("the default trigger waits for the end of the window", ["watermark trigger", "fixed windows"], {
    script: elements(testStream<string>(), [1, "a"], [2, "b"])
      .advanceWatermarkTo(9)
      .addElements(at(9, "c"))
      .advanceWatermarkTo(10)
      .advanceWatermarkToInfinity(),
    options: {},
    panes: ["0/10 ON_TIME 0/0 [a b c] first last"],
  });

  fires(
    "the default trigger fires again for each late element, discarding what it had",
    ["watermark trigger", "allowed lateness", "discarding panes"],
    {
      script: elements(testStream<string>(), [1, "a"])
        .advanceWatermarkTo(10)
        .addElements(at(2, "late"))
        .addElements(at(3, "later"))
        .advanceWatermarkToInfinity(),
      options: {
        trigger: defaultTrigger(),
        accumulation: "discarding",
        allowedLatenessMs: 5,
        closingBehavior: "emit-if-non-empty",
      },
      panes: ["0/10 ON_TIME 0/0 [a] first", "0/10 LATE 1/1 [late]", "0/10 LATE 2/2 [later]"],
    },
  );

  fires(
    "the default trigger fires again for each late element, with all there was",
    ["watermark trigger", "allowed lateness", "accumulating panes"],
    {
      script: elements(testStream<string>(), [1, "a"])
        .advanceWatermarkTo(10)
        .addElements(at(2, "late"))
        .addElements(at(3, "later"))
        .advanceWatermarkToInfinity(),
      options: {
        trigger: defaultTrigger(),
        accumulation: "accumulating",
        allowedLatenessMs: 5,
        closingBehavior: "emit-if-non-empty",
      },
      panes: ["0/10 ON_TIME 0/0 [a] first", "0/10 LATE 1/1 [a late]", "0/10 LATE 2/2 [a late later]"],
    },
  );

  fires("a window of late elements alone has late panes alone", ["allowed lateness", "panes"], {
    script: testStream<string>()
      .advanceWatermarkTo(12)
      .addElements(at(2, "late"))
      .advanceWatermarkToInfinity(),
    options: { allowedLatenessMs: 5, closingBehavior: "emit-if-non-empty" },
    panes: ["0/10 LATE 0/0 [late] first"],
  });

  fires("elements behind the allowed lateness are dropped", ["allowed lateness"], {
    script: elements(testStream<string>(), [1, "a"])
      .advanceWatermarkTo(15)
      .addElements(at(2, "dropped"))
      .addElements(at(11, "kept"))
      .advanceWatermarkToInfinity(),
    options: { allowedLatenessMs: 5 },
    panes: ["0/10 ON_TIME 0/0 [a] first", "10/20 ON_TIME 0/0 [kept] first"],
  });

  fires(
    "early, on-time and late panes count themselves",
    ["watermark trigger", "count trigger", "panes", "allowed lateness", "discarding panes"],
    {
      script: elements(testStream<string>(), [1, "a"], [2, "b"], [3, "c"])
        .advanceWatermarkTo(10)
        .addElements(at(4, "d"))
        .addElements(at(5, "e"))
        .advanceWatermarkToInfinity(),
      options: {
        trigger: afterWatermark({ early: afterCount(2), late: afterCount(1) }),
        accumulation: "discarding",
        allowedLatenessMs: 100,
        closingBehavior: "emit-if-non-empty",
      },
      panes: [
        "0/10 EARLY 0/-1 [a b] first",
        "0/10 ON_TIME 1/0 [c]",
        "0/10 LATE 2/1 [d]",
        "0/10 LATE 3/2 [e]",
      ],
    },
  );

  fires(
    "accumulating panes repeat what earlier ones held",
    ["watermark trigger", "count trigger", "panes", "accumulating panes"],
    {
      script: elements(testStream<string>(), [1, "a"], [2, "b"], [3, "c"])
        .advanceWatermarkTo(10)
        .addElements(at(4, "d"))
        .advanceWatermarkToInfinity(),
      options: {
        trigger: afterWatermark({ early: afterCount(2), late: afterCount(1) }),
        accumulation: "accumulating",
        allowedLatenessMs: 100,
        closingBehavior: "emit-if-non-empty",
      },
      panes: ["0/10 EARLY 0/-1 [a b] first", "0/10 ON_TIME 1/0 [a b c]", "0/10 LATE 2/1 [a b c d]"],
    },
  );

  fires(
    "the on-time pane is emitted although early panes took everything",
    ["watermark trigger", "panes", "discarding panes"],
    {
      script: elements(testStream<string>(), [1, "a"]).advanceWatermarkToInfinity(),
      options: { trigger: afterWatermark({ early: afterCount(1) }), accumulation: "discarding" },
      panes: ["0/10 EARLY 0/-1 [a] first", "0/10 ON_TIME 1/0 [] last"],
    },
  );

  fires(
    "an empty on-time pane is left out where the strategy says so",
    ["watermark trigger", "panes", "discarding panes"],
    {
      script: elements(testStream<string>(), [1, "a"])
        .advanceWatermarkTo(10)
        .addElements(at(2, "late"))
        .advanceWatermarkToInfinity(),
      options: {
        trigger: afterWatermark({ early: afterCount(1), late: afterCount(1) }),
        accumulation: "discarding",
        allowedLatenessMs: 5,
        onTimeBehavior: "fire-if-non-empty",
        closingBehavior: "emit-if-non-empty",
      },
      panes: ["0/10 EARLY 0/-1 [a] first", "0/10 LATE 1/0 [late]"],
    },
  );

  fires("the last pane is emitted, though empty, where the strategy says so", ["panes", "allowed lateness"], {
    script: elements(testStream<string>(), [1, "a"])
      .advanceWatermarkTo(10)
      .advanceWatermarkTo(20)
      .addElements(at(21, "b"))
      .advanceWatermarkToInfinity(),
    options: {
      trigger: repeatedly(afterWatermark()),
      accumulation: "discarding",
      allowedLatenessMs: 5,
      closingBehavior: "emit-always",
      onTimeBehavior: "fire-always",
    },
    panes: [
      "0/10 ON_TIME 0/0 [a] first",
      "0/10 LATE 1/1 [] last",
      "20/30 ON_TIME 0/0 [b] first",
      "20/30 LATE 1/1 [] last",
    ],
  });

  fires(
    "late elements that no trigger fires come with the last pane",
    ["watermark trigger", "composite triggers", "allowed lateness"],
    {
      script: elements(testStream<string>(), [1, "a"])
        .advanceWatermarkTo(10)
        .addElements(at(2, "late"))
        .addElements(at(3, "later"))
        .advanceWatermarkTo(15)
        .advanceWatermarkToInfinity(),
      options: {
        trigger: afterWatermark({ late: never() }),
        accumulation: "discarding",
        allowedLatenessMs: 5,
        closingBehavior: "emit-if-non-empty",
      },
      panes: ["0/10 ON_TIME 0/0 [a] first", "0/10 LATE 1/1 [late later] last"],
    },
  );

  fires("never fires but at the window's expiration", ["composite triggers", "panes"], {
    script: elements(testStream<string>(), [1, "a"], [2, "b"])
      .advanceWatermarkTo(9)
      .advanceProcessingTime(1_000_000)
      .advanceWatermarkToInfinity(),
    options: { trigger: never(), accumulation: "discarding" },
    panes: ["0/10 ON_TIME 0/0 [a b] first last"],
  });

  fires("a count fires once, and closes its window", ["count trigger"], {
    script: numbered(5).advanceWatermarkToInfinity(),
    windowFn: globalWindows(),
    options: { trigger: afterCount(2), accumulation: "discarding" },
    panes: [" EARLY 0/-1 [1 2] first last"],
  });

  fires("a repeated count fires for each so many, and at the end for the rest", ["count trigger"], {
    script: numbered(5).advanceWatermarkToInfinity(),
    windowFn: globalWindows(),
    options: { trigger: repeatedly(afterCount(2)), accumulation: "discarding" },
    panes: [" EARLY 0/-1 [1 2] first", " EARLY 1/-1 [3 4]", " ON_TIME 2/0 [5] last"],
  });

  fires("a repeated count counts anew while panes accumulate", ["count trigger", "accumulating panes"], {
    script: numbered(4).advanceWatermarkToInfinity(),
    windowFn: globalWindows(),
    options: { trigger: repeatedly(afterCount(2)), accumulation: "accumulating" },
    panes: [" EARLY 0/-1 [1 2] first", " EARLY 1/-1 [1 2 3 4]", " ON_TIME 2/0 [1 2 3 4] last"],
  });

  fires("processing time is counted from the first element of a pane", ["processing-time trigger"], {
    script: elements(testStream<string>(), [1, "a"])
      .advanceProcessingTime(40)
      .addElements(at(2, "b"))
      .advanceProcessingTime(59)
      .addElements(at(3, "c"))
      .advanceProcessingTime(2)
      .addElements(at(4, "d"))
      .advanceProcessingTime(99)
      .addElements(at(5, "e"))
      .advanceProcessingTime(2)
      .advanceWatermarkToInfinity(),
    windowFn: globalWindows(),
    options: { trigger: repeatedly(afterProcessingTime({ delayMs: 100 })), accumulation: "discarding" },
    panes: [" EARLY 0/-1 [a b c] first", " EARLY 1/-1 [d e]", " ON_TIME 2/0 [] last"],
  });

  fires(
    "without time passing, a processing-time trigger leaves all to the end",
    ["processing-time trigger"],
    {
      script: elements(testStream<string>(), [1, "a"], [2, "b"]).advanceWatermarkToInfinity(),
      windowFn: globalWindows(),
      options: { trigger: repeatedly(afterProcessingTime({ delayMs: 100 })), accumulation: "discarding" },
      panes: [" ON_TIME 0/0 [a b] first last"],
    },
  );

  fires(
    "afterFirst fires with whichever comes first, the count or the clock",
    ["composite triggers", "count trigger", "processing-time trigger"],
    {
      script: elements(testStream<string>(), [1, "a"], [2, "b"], [3, "c"])
        .advanceProcessingTime(101)
        .advanceWatermarkToInfinity(),
      windowFn: globalWindows(),
      options: {
        trigger: repeatedly(afterFirst(afterCount(2), afterProcessingTime({ delayMs: 100 }))),
        accumulation: "discarding",
      },
      panes: [" EARLY 0/-1 [a b] first", " EARLY 1/-1 [c]", " ON_TIME 2/0 [] last"],
    },
  );

  fires(
    "afterAll waits for both, the count and the clock",
    ["composite triggers", "count trigger", "processing-time trigger"],
    {
      script: elements(testStream<string>(), [1, "a"], [2, "b"])
        .advanceProcessingTime(101)
        .addElements(at(3, "c"))
        .advanceProcessingTime(101)
        .addElements(at(4, "d"))
        .advanceWatermarkToInfinity(),
      windowFn: globalWindows(),
      options: {
        trigger: repeatedly(afterAll(afterCount(2), afterProcessingTime({ delayMs: 100 }))),
        accumulation: "discarding",
      },
      panes: [" EARLY 0/-1 [a b] first", " EARLY 1/-1 [c d]", " ON_TIME 2/0 [] last"],
    },
  );

  fires("afterEach goes through its triggers one after the other", ["composite triggers", "count trigger"], {
    script: numbered(7).advanceWatermarkToInfinity(),
    windowFn: globalWindows(),
    options: {
      trigger: afterEach(afterCount(1), afterCount(3), repeatedly(afterCount(2))),
      accumulation: "discarding",
    },
    panes: [" EARLY 0/-1 [1] first", " EARLY 1/-1 [2 3 4]", " EARLY 2/-1 [5 6]", " ON_TIME 3/0 [7] last"],
  });

  fires(
    "orFinally ends what was repeated, and drops what comes behind",
    ["composite triggers", "count trigger"],
    {
      script: numbered(5).advanceWatermarkToInfinity(),
      windowFn: globalWindows(),
      options: { trigger: orFinally(repeatedly(afterCount(1)), afterCount(3)), accumulation: "discarding" },
      panes: [" EARLY 0/-1 [1] first", " EARLY 1/-1 [2]", " EARLY 2/-1 [3] last"],
    },
  );

  fires("orFinally lets go at the end of the window", ["composite triggers", "watermark trigger"], {
    script: elements(testStream<string>(), [1, "a"], [2, "b"], [3, "c"])
      .advanceWatermarkTo(10)
      .addElements(at(4, "dropped"))
      .advanceWatermarkToInfinity(),
    options: {
      trigger: orFinally(repeatedly(afterCount(2)), afterWatermark()),
      accumulation: "discarding",
      allowedLatenessMs: 100,
    },
    panes: ["0/10 EARLY 0/-1 [a b] first", "0/10 ON_TIME 1/0 [c] last"],
  });

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
        root
          .apply(withName("Stream", script))
          .apply(
            withName(
              "Window",
              windowInto(globalWindows(), { trigger: repeatedly(afterCount(2)), accumulation: "discarding" }),
            ),
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
              withName(
                "Window",
                windowInto(globalWindows(), {
                  trigger: repeatedly(afterCount(1)),
                  accumulation: "discarding",
                  onTimeBehavior: "fire-if-non-empty",
                  closingBehavior: "emit-if-non-empty",
                }),
              ),
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
