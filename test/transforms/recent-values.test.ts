import { expect } from "chai";
import fc from "fast-check";
import { RecentValues } from "../../transforms/recent-values.js";
import { checkProperty } from "../support/check-property.js";

type Value = Record<string, unknown>;

/** What the memory says of a value. */
function look(memory: RecentValues, value: Value): string {
  const list = memory.createList();
  list.push(value, "id");
  return memory.look(list, 0);
}

function remember(memory: RecentValues, ...values: Value[]): void {
  const list = memory.createList();
  for (const value of values) list.push(value, "id");
  for (let row = 0; row < values.length; row++) memory.add(list, row);
}

describe("RecentValues", () => {
  it("tells an equal value from another one under the same key", () => {
    const memory = new RecentValues(10);
    remember(memory, { id: "a", price: "1.00", user: "u1" });
    expect(look(memory, { id: "a", price: "1.00", user: "u1" })).to.equal("equal");
    expect(look(memory, { id: "a", price: "1.0", user: "0u1" })).to.equal("different");
    expect(look(memory, { id: "a", price: "1.00" })).to.equal("different");
    expect(look(memory, { id: "b", price: "1.00", user: "u1" })).to.equal("nothing");
  });

  it("keeps the first value of a key", () => {
    const memory = new RecentValues(10);
    remember(memory, { id: "a", n: "1" }, { id: "a", n: "2" });
    expect(look(memory, { id: "a", n: "1" })).to.equal("equal");
  });

  it("takes fields that are no strings, each kind apart", () => {
    const values = ["1", 1, 1n, true, null, undefined, "null", { a: 1 }];
    for (const stored of values) {
      const memory = new RecentValues(10);
      remember(memory, { id: "a", n: stored });
      const equal = values.filter((value) => look(memory, { id: "a", n: value }) === "equal");
      expect(equal).to.deep.equal([stored]);
    }
  });

  it("compares any text exactly, lone surrogates and texts beyond 65,536 units included", () => {
    const long = "x".repeat(70_000);
    const memory = new RecentValues(10);
    remember(memory, { id: "\ud800", n: long }, { id: "ｋ", n: "\0" });
    expect(look(memory, { id: "\ud800", n: long })).to.equal("equal");
    expect(look(memory, { id: "\ud801", n: long })).to.equal("nothing");
    expect(look(memory, { id: "\ud800", n: `${long}x` })).to.equal("different");
    expect(look(memory, { id: "ｋ", n: "\0" })).to.equal("equal");
  });

  it("remembers between half of its capacity and all of it, the latest keys", () => {
    const memory = new RecentValues(8);
    const ids = Array.from({ length: 60 }, (_, n) => ({ id: `k${n}` }));
    for (const [n, value] of ids.entries()) {
      remember(memory, value);
      const known = ids.slice(0, n + 1).filter((earlier) => look(memory, earlier) === "equal");
      expect(known).to.deep.equal(ids.slice(n + 1 - known.length, n + 1));
      expect(known.length).to.be.within(Math.min(n + 1, 4), 8);
    }
  });

  it("agrees with a map of generations", () => {
    const key = fc.oneof(fc.constantFrom("", "a", "ab", "b"), fc.string({ unit: "binary", maxLength: 4 }));
    const value = fc.record({
      id: key,
      x: fc.constantFrom("", "1", 1, null),
      y: fc.constantFrom("", "1", "11"),
    });
    checkProperty(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(value, { maxLength: 60 }), (capacity, values) => {
        const memory = new RecentValues(capacity);
        let young = new Map<string, string>();
        let old = new Map<string, string>();
        for (const one of values) {
          const stored = young.get(one.id) ?? old.get(one.id);
          const text = JSON.stringify(one);
          const expected = stored === undefined ? "nothing" : stored === text ? "equal" : "different";
          expect(look(memory, one)).to.equal(expected);
          if (stored === undefined && young.size >= Math.ceil(capacity / 2)) {
            old = young;
            young = new Map();
          }
          if (stored === undefined) young.set(one.id, text);
          remember(memory, one);
        }
      }),
      300,
    );
  });
});
