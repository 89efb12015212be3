/** RecentKeys: what it remembers, and that it never takes one key for another. */
import { expect } from "chai";
import fc from "fast-check";
import { RecentKeys } from "../../transforms/recent-keys.js";
import { checkProperty } from "../support/check-property.js";

describe("RecentKeys", () => {
  it("gives the first value that was added under a key", () => {
    const keys = new RecentKeys<number>(100);
    keys.add("a", 1);
    keys.add("a", 2);
    keys.add("", 3);
    expect([keys.get("a"), keys.get(""), keys.get("b")]).to.deep.equal([1, 3, undefined]);
  });

  it("tells keys apart that end alike and that hash alike", () => {
    const keys = new RecentKeys<string>(64);
    const tail = "0123456789abcdef0123456789abcdef";
    for (const head of ["x", "y", "z"]) keys.add(head + tail, head);
    for (const head of ["x", "y", "z"]) expect(keys.get(head + tail)).to.equal(head);
    expect(keys.get(`w${tail}`)).to.equal(undefined);
  });

  it("answers only with what was added under that very key, and remembers the last four of a set", () => {
    checkProperty(
      fc.property(fc.array(fc.string({ maxLength: 3 })), (added) => {
        const keys = new RecentKeys<{ key: string; at: number }>(4);
        const first = new Map<string, number>();
        added.forEach((key, at) => {
          if (keys.get(key) === undefined) first.set(key, at);
          keys.add(key, { key, at });
          const found = keys.get(key);
          expect(found).to.deep.equal({ key, at: first.get(key) });
        });
        const remembered = [...new Set(added)].filter((key) => keys.get(key) !== undefined);
        expect(remembered).length(Math.min(4, new Set(added).size));
      }),
      300,
    );
  });

  it("remembers nearly all of as many keys as a quarter of its capacity, none of long ago", () => {
    const keys = new RecentKeys<number>(4096);
    for (let n = 0; n < 100_000; n++) keys.add(`id-${n}`, n);
    const recent = Array.from({ length: 1024 }, (_, n) => 99_999 - n).filter(
      (n) => keys.get(`id-${n}`) === n,
    );
    expect(recent.length).to.be.greaterThan(980);
    expect(Array.from({ length: 1000 }, (_, n) => keys.get(`id-${n}`))).to.deep.equal(
      new Array(1000).fill(undefined),
    );
  });

  it("refuses a capacity that is no positive integer", () => {
    for (const capacity of [0, -1, 1.5, Number.NaN]) {
      expect(() => new RecentKeys(capacity)).to.throw(RangeError, `got ${capacity}`);
    }
  });
});
