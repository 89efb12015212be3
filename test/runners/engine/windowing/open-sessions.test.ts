/** What merging costs where a key has many open sessions: counted in windows shown to the window function. */
import { expect } from "chai";
import { MIN_WATERMARK_MS, NO_FIRING } from "../../../../runners/engine/element.js";
import { createGroupByKey } from "../../../../runners/engine/group-by-key.js";
import { sessionWindows } from "./parse-strategy.js";

describe("GroupByKey with many open sessions of a key", () => {
  it("shows a merge none but the new window and its neighbours", () => {
    const fn = sessionWindows(5);
    let shown = 0;
    const operator = createGroupByKey({
      kind: "groupByKey",
      id: "Group",
      input: "in",
      output: "out",
      keyId: String,
      strategy: {
        windowFn: {
          ...fn,
          merge: (windows) => {
            shown += windows.length;
            return fn.merge(windows);
          },
        },
        trigger: { kind: "repeat", of: { kind: "after-count", count: 3 } },
        accumulation: "discarding",
        timestampCombiner: "end-of-window",
        allowedLatenessMs: 0,
        closingBehavior: "emit-if-non-empty",
        onTimeBehavior: "fire-always",
      },
    });
    const times = { inputWatermarkMs: MIN_WATERMARK_MS, processingTimeMs: 0 };
    for (let turn = 0; turn < 3000; turn++) {
      // Each of 1,000 sessions three times, none near another.
      const timestampMs = ((turn * 7) % 1000) * 100 + Math.floor(turn / 1000);
      const value = { key: "k", value: turn };
      operator.add([{ value, timestampMs, windows: fn.assign(timestampMs), pane: NO_FIRING }], times);
    }
    expect(operator.takeOutput()).to.have.length(1000);
    // A new window and at most the one before it and the one that it overlaps.
    expect(shown).to.be.at.most(3 * 3000);
  });
});
