/** KeyedTimers: a cell's timers by family and tag, however many it has. */
import { assert } from "chai";
import { MAX_WATERMARK_MS } from "../../../runners/engine/element.js";
import type { Cell } from "../../../runners/engine/key-slot.js";
import { KeySlots } from "../../../runners/engine/key-slots.js";
import { KeyedTimers, TimerBatch } from "../../../runners/engine/keyed-timers.js";
import { GLOBAL_WINDOW } from "../../../transforms/primitives/window.js";

function cellOf(slots: KeySlots): Cell {
  return slots.cellOf("k", "k", GLOBAL_WINDOW);
}

/** Takes all that are due, a bundle each. */
function fired(timers: KeyedTimers, watermarkMs: number): string[] {
  const all: string[] = [];
  for (;;) {
    const batch = new TimerBatch(10);
    timers.takeEventTime(batch, watermarkMs);
    if (batch.timers.length === 0) return all;
    timers.fire(batch.timers);
    all.push(...batch.timers.map(({ family, tag, fireAtMs }) => `${family} ${tag} at ${fireAtMs}`));
    timers.complete();
  }
}

describe("KeyedTimers", () => {
  for (const count of [3, 40]) {
    it(`replaces and clears by family and tag where a cell has ${count} timers`, () => {
      const timers = new KeyedTimers();
      const cell = cellOf(new KeySlots(0));
      const set = (family: string, tag: string, fireAtMs: number) =>
        timers.set(cell, family, tag, { domain: "event-time", fireAtMs, outputTimestampMs: undefined }, 0);
      for (let n = 0; n < count; n++) set("end", `t${n}`, n);
      set("other", "t1", 1);
      set("end", "t1", 500);
      timers.set(cell, "end", "t2", { domain: "processing-time", fireAtMs: 7, outputTimestampMs: 7 }, 0);
      timers.clear(cell, "end", "t0");
      timers.clear(cell, "end", "of another name");
      assert.equal(timers.size, count);
      assert.equal(timers.holdMs, 7);
      assert.equal(timers.nextProcessingTimeMs, 7);
      const rest = Array.from({ length: Math.max(0, count - 3) }, (_one, n) => `end t${n + 3} at ${n + 3}`);
      assert.deepEqual(fired(timers, 1_000), ["other t1 at 1", ...rest, "end t1 at 500"]);
      assert.equal(timers.size, 1);
      timers.clearAll(cell);
      assert.isTrue(timers.isEmpty);
      assert.equal(timers.holdMs, MAX_WATERMARK_MS);
      assert.deepEqual([cell.firstTimer, cell.timerCount, cell.timersByName?.size ?? 0], [undefined, 0, 0]);
    });
  }
});
