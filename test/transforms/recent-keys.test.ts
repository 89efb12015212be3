/** RecentKeys: what it remembers, and that it never takes one key for another. */
import { expect } from "chai";
import fc from "fast-check";
import { RecentKeys } from "../../transforms/recent-keys.js";
import { checkProperty } from "../support/check-property.js";

describe("RecentKeys", () => {
  it("gives the first text that was added under a key", () => {
    const keys = new RecentKeys(100);
    keys.add("a", "1");
    keys.add("a", "2");
    keys.add("", "3");
    keys.add("Ω", "");
    expect(["a", "", "Ω", "b"].map((key) => keys.get(key))).to.deep.equal(["1", "3", "", undefined]);
  });

  it("tells keys apart that end alike and that hash alike", () => {
    const keys = new RecentKeys(64);
    const tail = "0123456789abcdef0123456789abcdef";
    for (const head of ["x", "y", "z"]) keys.add(head + tail, head);
    for (const head of ["x", "y", "z"]) expect(keys.get(head + tail)).to.equal(head);
    expect(keys.get(`w${tail}`)).to.equal(undefined);
  });

  it("answers only with what was added under that very key, and remembers the last four of a set", () => {
    const text = fc.string({ maxLength: 3, unit: "grapheme" });
    checkProperty(
      fc.property(fc.array(text), (added) => {
        const keys = new RecentKeys(4);
        const first = new Map<string, string>();
        added.forEach((key, at) => {
          if (keys.get(key) === undefined) first.set(key, `${key} ${at}`);
          keys.add(key, `${key} ${at}`);
          expect(keys.get(key)).to.equal(first.get(key));
        });
        const remembered = [...new Set(added)].filter((key) => keys.get(key) !== undefined);
        expect(remembered).length(Math.min(4, new Set(added).size));
      }),
      300,
    );
  });

  it("forgets what its ring of bytes has overwritten, and never gives bytes of another entry", () => {
    const keys = new RecentKeys(256); // a ring of 64 KiB
    for (let n = 0; n < 5_000; n++) {
      const text = String.fromCharCode(97 + (n % 26)).repeat(1 + ((n * 7919) % 6_000));
      keys.add(`key-${n}`, text);
      for (let back = 0; back < 30 && back <= n; back++) {
        const m = n - back;
        const found = keys.get(`key-${m}`);
        if (found === undefined) continue;
        expect(found).to.equal(String.fromCharCode(97 + (m % 26)).repeat(1 + ((m * 7919) % 6_000)));
      }
    }
  });

  it("does not take what is longer than an eighth of its ring", () => {
    const keys = new RecentKeys(256);
    keys.add("long", "x".repeat(10_000));
    keys.add("short", "y");
    expect([keys.get("long"), keys.get("short")]).to.deep.equal([undefined, "y"]);
  });

  it("remembers nearly all of as many keys as a quarter of its capacity, none of long ago", () => {
    const keys = new RecentKeys(4096);
    for (let n = 0; n < 100_000; n++) keys.add(`id-${n}`, `${n}`);
    const recent = Array.from({ length: 1024 }, (_, n) => 99_999 - n).filter(
      (n) => keys.get(`id-${n}`) === `${n}`,
    );
    expect(recent.length).to.be.greaterThan(980);
    const old = Array.from({ length: 1000 }, (_, n) => keys.get(`id-${n}`));
    expect(old).to.deep.equal(new Array(1000).fill(undefined));
  });

  it("refuses a capacity that is no positive integer", () => {
    for (const capacity of [0, -1, 1.5, Number.NaN]) {
      expect(() => new RecentKeys(capacity)).to.throw(RangeError, `got ${capacity}`);
    }
  });
});
