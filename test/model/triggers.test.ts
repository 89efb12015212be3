/** Scenarios of the watermark trigger, its early and late firings, and of lateness. */
import { testStream } from "../../transforms/primitives/test-stream.js";
import {
  afterCount,
  afterWatermark,
  defaultTrigger,
  never,
  repeatedly,
} from "../../transforms/primitives/triggers.js";
import { scenariosOf } from "./support/scenarios.js";
import { at } from "./support/sources.js";
import { CATEGORY, elements, fires } from "./support/trigger-script.js";

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
    panes: ["0/10 ON_TIME 0/0 [a] first last", "10/20 ON_TIME 0/0 [kept] first last"],
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
      // The watermark passes this one's end and lateness at once.
      "20/30 ON_TIME 0/0 [b] first last",
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
});
