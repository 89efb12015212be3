/** What keeps times in order: heap, holds, and the timer index when it is gone through. */
import { assert } from "chai";
import fc from "fast-check";
import { MAX_WATERMARK_MS } from "../../../../runners/engine/element.js";
import { HoldSet } from "../../../../runners/engine/hold-set.js";
import { TimeHeap } from "../../../../runners/engine/time-heap.js";
import { TimerIndex } from "../../../../runners/engine/timer-index.js";
import { checkProperty } from "../../../support/check-property.js";

const times = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 300 });

describe("TimeHeap", () => {
  it("gives items by time, those of equal times in the order of their coming, one by one as at once", () => {
    checkProperty(
      fc.property(times, (values) => {
        const expected = values
          .map((timeMs, order) => ({ timeMs, order }))
          .sort((a, b) => a.timeMs - b.timeMs);
        for (const takeAll of [true, false]) {
          const heap = new TimeHeap<{ timeMs: number; order: number }>();
          for (const [order, timeMs] of values.entries()) heap.push(timeMs, { timeMs, order });
          const items = takeAll ? heap.drain() : values.map(() => heap.pop());
          assert.deepEqual(items, expected);
          assert.isUndefined(heap.firstMs);
        }
      }),
      200,
    );
  });
});

describe("HoldSet", () => {
  it("knows the least of what was added and not removed", () => {
    checkProperty(
      fc.property(times, fc.infiniteStream(fc.nat()), (values, choices) => {
        const holds = new HoldSet();
        const held: number[] = [];
        for (const value of values) {
          holds.add(value);
          held.push(value);
          if (choices.next().value % 3 !== 0) {
            const [removed] = held.splice(choices.next().value % held.length, 1);
            holds.remove(removed!);
          }
          assert.equal(holds.minMs, Math.min(MAX_WATERMARK_MS, ...held));
        }
      }),
      200,
    );
  });

  it("refuses to remove what was not added", () => {
    assert.throws(() => new HoldSet().remove(5), "no hold at 5 to remove");
  });

  it("does not keep what was removed above its least", () => {
    const holds = new HoldSet();
    holds.add(0);
    for (let ms = 1; ms < 10_000; ms++) {
      holds.add(ms);
      holds.remove(ms);
    }
    holds.remove(0);
    assert.equal(holds.minMs, MAX_WATERMARK_MS);
  });
});

describe("TimerIndex.take", () => {
  const filled = () => {
    const index = new TimerIndex<{ id: string; fireAtMs: number }>();
    for (const [id, fireAtMs] of [
      ["d", 9],
      ["a", 5],
      ["b", 5],
      ["c", 5],
    ] as const)
      index.set({ id, fireAtMs });
    return index;
  };
  const ids = (timers: readonly { id: string }[]) => timers.map(({ id }) => id).join("");
  const rest = (index: ReturnType<typeof filled>) => {
    const left = [];
    for (let timer = index.pop(); timer !== undefined; timer = index.pop()) left.push(timer);
    return ids(left);
  };

  it("gives those taken in order, and leaves those skipped where they were, before equals set later", () => {
    const index = filled();
    assert.equal(ids(index.take(({ id }) => (id === "b" ? "take" : id === "d" ? "stop" : "skip"))), "b");
    assert.isUndefined(index.get("b"));
    assert.equal(index.get("a")?.fireAtMs, 5);
    index.set({ id: "e", fireAtMs: 5 });
    assert.equal(rest(index), "aced");
  });

  it("ends with the last timer", () => {
    const index = filled();
    assert.equal(ids(index.take(() => "take")), "abcd");
    assert.equal(index.size, 0);
  });

  it("leaves skipped timers that can be deleted and set again", () => {
    const index = filled();
    index.take(() => "skip");
    assert.isTrue(index.delete("a"));
    index.set({ id: "c", fireAtMs: 10 });
    assert.equal(rest(index), "bdc");
  });
});
