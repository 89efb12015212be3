/** Keyed state in memory. */
import { assert } from "chai";
import { StateStore } from "../../../../runners/engine/state-store.js";

const W = { id: "w", maxTimestampMs: 9 };
const V = { id: "v", maxTimestampMs: 19 };

describe("StateStore", () => {
  it("keeps cells apart by root, key, window and id, and values as they were when read", () => {
    const store = new StateStore();
    const bag = store.cells("S", "k", W).bag("b");
    bag.append(1);
    const read = bag.values();
    bag.append(2);
    assert.deepEqual([read, bag.values()], [[1], [1, 2]]);
    for (const other of [store.cells("T", "k", W), store.cells("S", "j", W), store.cells("S", "k", V)]) {
      assert.equal(other.bag("b").size, 0);
    }
    assert.equal(store.cells("S", "k", W).bag("c").size, 0);
    assert.strictEqual(store.cells("S", "k", W).bag("b"), bag);
  });

  it("has a key that asked for its cells, and no other", () => {
    const store = new StateStore();
    assert.isFalse(store.has("S", "k", W));
    store.cells("S", "k", W);
    assert.deepEqual(
      [store.has("S", "k", W), store.has("S", "j", W), store.has("S", "k", V), store.has("T", "k", W)],
      [true, false, false, false],
    );
  });
});
