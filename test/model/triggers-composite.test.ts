/** Scenarios of triggers by count and processing time, and of those made of others. */
import { testStream } from "../../transforms/primitives/test-stream.js";
import {
  afterAll,
  afterCount,
  afterEach,
  afterFirst,
  afterProcessingTime,
  afterWatermark,
  orFinally,
  repeatedly,
} from "../../transforms/primitives/triggers.js";
import { globalWindows } from "../../transforms/primitives/window-fns.js";
import { scenariosOf } from "./support/scenarios.js";
import { at } from "./support/sources.js";
import { CATEGORY, elements, fires, numbered } from "./support/trigger-script.js";

scenariosOf(CATEGORY, () => {
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
});
