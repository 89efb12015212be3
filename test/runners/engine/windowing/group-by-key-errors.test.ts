/** What a GroupByKey refuses, and how it says so. */
import { expect } from "chai";
import { MIN_WATERMARK_MS, NO_FIRING, type Window } from "../../../../runners/engine/element.js";
import { createGroupByKey, type GroupByKey } from "../../../../runners/engine/group-by-key.js";
import type { TriggerSpec, WindowingStrategy } from "../../../../runners/engine/windowing-strategy.js";
import { parseWindowFn } from "./parse-strategy.js";

function create(trigger: TriggerSpec, merge?: WindowingStrategy["windowFn"]["merge"]): GroupByKey {
  return createGroupByKey({
    kind: "groupByKey",
    id: "Totals/Group",
    input: "in",
    output: "out",
    keyId: String,
    strategy: {
      windowFn: { isMerging: merge !== undefined, merge: merge ?? (() => []) },
      trigger,
      accumulation: "discarding",
      timestampCombiner: "end-of-window",
      allowedLatenessMs: 0,
      closingBehavior: "emit-if-non-empty",
      onTimeBehavior: "fire-always",
    },
  });
}

const times = { inputWatermarkMs: MIN_WATERMARK_MS, processingTimeMs: 0 };

function addTwoSessions(operator: GroupByKey): void {
  const sessions = parseWindowFn("sessions(00:01)");
  for (const timestampMs of [0, 5000]) {
    const windows = sessions.assign(timestampMs);
    operator.add([{ value: { key: "k", value: 1 }, timestampMs, windows, pane: NO_FIRING }], times);
  }
}

describe("GroupByKey refuses", () => {
  it("a watermark that goes back", () => {
    const operator = create({ kind: "default" });
    operator.advance({ inputWatermarkMs: 10, processingTimeMs: 0 });
    expect(() => operator.advance({ inputWatermarkMs: 9, processingTimeMs: 0 })).to.throw(
      "input watermark of GroupByKey Totals/Group went back: 10 → 9",
    );
  });

  it("a count that is not a positive whole number", () => {
    expect(() => create({ kind: "repeat", of: { kind: "after-count", count: 0 } })).to.throw(
      RangeError,
      "after-count: count must be a positive whole number, got 0",
    );
  });

  it("a negative delay and a period of nothing", () => {
    const delay = { kind: "delay", delayMs: -1 } as const;
    expect(() => create({ kind: "after-processing-time", transforms: [delay] })).to.throw(
      RangeError,
      "after-processing-time: delayMs must not be negative, got -1",
    );
    const align = { kind: "align", periodMs: 0, offsetMs: 0 } as const;
    expect(() => create({ kind: "after-processing-time", transforms: [align] })).to.throw(
      RangeError,
      "after-processing-time: periodMs must be positive, got 0",
    );
  });

  it("a composite trigger of nothing", () => {
    expect(() => create({ kind: "after-each", of: [] })).to.throw(
      RangeError,
      "after-each: it needs at least one trigger, got none",
    );
  });

  it("a merge of a window that is not there", () => {
    const stranger: Window = { id: "stranger", maxTimestampMs: 1 };
    const operator = create({ kind: "default" }, (windows) => [
      { merged: windows[0]!, from: [windows[0]!, stranger] },
    ]);
    expect(() => addTwoSessions(operator)).to.throw("window stranger was merged but is not there");
  });

  it("a window that is merged into two", () => {
    const operator = create({ kind: "default" }, (windows) => [
      { merged: windows[0]!, from: windows },
      { merged: windows[1]!, from: windows },
    ]);
    expect(() => addTwoSessions(operator)).to.throw("window 0/1000 was merged into two windows");
  });

  it("a merge into a window that is there and is not merged itself", () => {
    const operator = create({ kind: "default" }, (windows) => [{ merged: windows[0]!, from: [windows[1]!] }]);
    expect(() => addTwoSessions(operator)).to.throw(
      "windows were merged into window 0/1000, which is there but not one of them",
    );
  });
});
