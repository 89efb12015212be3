/** TimerHeap compared with a sorted list. */
import { assert } from "chai";
import fc from "fast-check";
import { type HeapTimer, NO_PLACE, TimerHeap } from "../../../runners/engine/timer-heap.js";
import { checkProperty } from "../../support/check-property.js";

const timer = (fireAtMs: number, order: number): HeapTimer => ({ fireAtMs, order, place: NO_PLACE });
const inOrder = (timers: readonly HeapTimer[]) =>
  [...timers].sort((a, b) => (a.fireAtMs === b.fireAtMs ? a.order - b.order : a.fireAtMs - b.fireAtMs));

describe("TimerHeap", () => {
  it("take() stops where it is told to, and leaves those skipped in their places", () => {
    const heap = new TimerHeap<HeapTimer>();
    const timers = [3, 1, 2, 1, 5].map(timer);
    for (const one of timers) heap.add(one);
    const taken = heap.take(({ fireAtMs, order }) => {
      if (fireAtMs > 2) return "stop";
      return order === 1 ? "skip" : "take";
    });
    assert.deepEqual(taken, [timers[3], timers[2]]);
    assert.equal(heap.first, timers[1]);
    assert.equal(heap.size, 3);
  });

  it("behaves as a sorted list whatever is added, replaced and removed, one by one or many at once", () => {
    const fireAtMs = fc.integer({ min: -5, max: 5 });
    const pick = fc.nat({ max: 1_000 });
    const operation = fc.oneof(
      fc.record({ do: fc.constant("add" as const), fireAtMs }),
      fc.record({ do: fc.constant("replace" as const), fireAtMs, pick }),
      fc.record({ do: fc.constant("remove" as const), pick }),
      fc.record({ do: fc.constant("removeAll" as const), every: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ do: fc.constant("pop" as const) }),
    );
    const property = fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const heap = new TimerHeap<HeapTimer>();
      let list: HeapTimer[] = [];
      for (const [order, op] of operations.entries()) {
        const picked = "pick" in op ? list[op.pick % list.length] : undefined;
        if (op.do === "add" || (op.do === "replace" && picked !== undefined)) {
          const one = timer(op.fireAtMs, order);
          if (picked === undefined) heap.add(one);
          else heap.replace(picked, one);
          list = [...list.filter((other) => other !== picked), one];
        } else if (op.do === "remove" && picked !== undefined) {
          heap.remove(picked);
          list = list.filter((other) => other !== picked);
        } else if (op.do === "removeAll") {
          const gone = list.filter((_one, n) => n % op.every === 0);
          heap.removeAll(gone);
          list = list.filter((one) => !gone.includes(one));
        } else if (op.do === "pop") {
          const [first] = inOrder(list);
          const popped = heap.take((one) => (one === first ? "take" : "stop"));
          assert.deepEqual(popped, first === undefined ? [] : [first]);
          list = list.filter((one) => one !== first);
        }
        assert.equal(heap.size, list.length);
        assert.equal(heap.first, inOrder(list)[0]);
      }
      assert.deepEqual(
        heap.take(() => "take"),
        inOrder(list),
      );
    });
    checkProperty(property, 500);
  });
});
