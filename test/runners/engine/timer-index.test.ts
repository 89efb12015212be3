/** TimerIndex compared with a sorted list. */
import { expect } from "chai";
import fc from "fast-check";
import { type IndexedTimer, TimerIndex } from "../../../runners/engine/timer-index.js";
import { checkProperty } from "../../support/check-property.js";

describe("TimerIndex", () => {
  it("pop() gives timers by time, those of the same time in the order of their setting", () => {
    const timers = new TimerIndex<IndexedTimer>();
    timers.set({ id: "b", fireAtMs: 2 });
    timers.set({ id: "a", fireAtMs: 2 });
    timers.set({ id: "c", fireAtMs: -1 });
    expect([timers.pop(), timers.pop(), timers.pop(), timers.pop()]).to.eql([
      { id: "c", fireAtMs: -1 },
      { id: "b", fireAtMs: 2 },
      { id: "a", fireAtMs: 2 },
      undefined,
    ]);
  });

  it("set() replaces a timer of the same id, which takes its place anew", () => {
    const timers = new TimerIndex<IndexedTimer>();
    timers.set({ id: "a", fireAtMs: 1 });
    timers.set({ id: "b", fireAtMs: 1 });
    timers.set({ id: "a", fireAtMs: 1 });
    expect(timers.size).to.equal(2);
    expect(timers.pop()?.id).to.equal("b");
    timers.set({ id: "a", fireAtMs: 5 });
    expect(timers.get("a")).to.eql({ id: "a", fireAtMs: 5 });
    expect([...timers.all()]).to.eql([{ id: "a", fireAtMs: 5 }]);
  });

  it("delete() says whether the timer was set", () => {
    const timers = new TimerIndex<IndexedTimer>();
    timers.set({ id: "a", fireAtMs: 1 });
    expect(timers.delete("a")).to.equal(true);
    expect(timers.delete("a")).to.equal(false);
    expect(timers.get("a")).to.equal(undefined);
    expect(timers.peek()).to.equal(undefined);
  });

  it("behaves as a sorted list under random settings, deletions and firings", () => {
    const id = fc.integer({ min: 0, max: 12 }).map(String);
    const operation = fc.oneof(
      fc.record({ do: fc.constant("set" as const), id, fireAtMs: fc.integer({ min: -5, max: 5 }) }),
      fc.record({ do: fc.constant("delete" as const), id }),
      fc.record({ do: fc.constant("pop" as const) }),
    );
    const property = fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      const timers = new TimerIndex<IndexedTimer>();
      // In order of setting; Array.prototype.sort is stable.
      let list: IndexedTimer[] = [];
      for (const op of operations) {
        const first = [...list].sort((a, b) => a.fireAtMs - b.fireAtMs)[0];
        if (op.do === "set") {
          const timer = { id: op.id, fireAtMs: op.fireAtMs };
          timers.set(timer);
          list = [...list.filter((other) => other.id !== op.id), timer];
        } else if (op.do === "delete") {
          const wasSet = list.some((other) => other.id === op.id);
          expect(timers.delete(op.id)).to.equal(wasSet);
          list = list.filter((other) => other.id !== op.id);
        } else {
          expect(timers.pop()).to.equal(first);
          list = list.filter((other) => other !== first);
        }
        expect(timers.size).to.equal(list.length);
      }
    });
    checkProperty(property, 500);
  });
});
