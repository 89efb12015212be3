/** Decimals: what is accepted, and that one amount has one canonical text. */
import { expect } from "chai";
import fc from "fast-check";
import { canonicalDecimal } from "../../transforms/decimal.js";
import { seeded } from "../support/property-seed.js";

const accepted: readonly (readonly [text: string, canonical: string])[] = [
  ["0", "0.00"],
  ["0.0", "0.00"],
  ["0.00", "0.00"],
  ["00", "0.00"],
  ["1", "1.00"],
  ["1.0", "1.00"],
  ["1.00", "1.00"],
  ["0.1", "0.10"],
  ["0.01", "0.01"],
  ["007.5", "7.50"],
  ["007.50", "7.50"],
  ["00000000", "0.00"],
  ["00000000.01", "0.01"],
  ["10", "10.00"],
  ["100.10", "100.10"],
  ["99999999", "99999999.00"],
  ["99999999.99", "99999999.99"],
];

const refused = [
  ..."|.|.5|5.|5.123|0.000|1.2.3|123456789|000000001|123456789.1|-1|+1|-0|1e2|0x10|1,5|1_000|$5".split("|"),
  ...[" 5", "5 ", "5\n", "5\r", "5\0", "\u00a05", "\ufeff5", "NaN", "Infinity", "free"],
  ...["٥", "５.00", "5．00", "5 . 0"],
];

describe("canonicalDecimal()", () => {
  for (const [text, canonical] of accepted) {
    it(`makes ${JSON.stringify(text)} ${canonical}`, () => {
      expect(canonicalDecimal(text, 2)).to.equal(canonical);
    });
  }
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(canonicalDecimal(text, 2)).to.equal(undefined);
    });
  }

  it("takes what the pattern of prices takes, and nothing else", () => {
    const text = fc.string({ unit: fc.constantFrom(..."0019.9-+e "), maxLength: 13 });
    fc.assert(
      fc.property(text, (price) => {
        expect(canonicalDecimal(price, 2) !== undefined).to.equal(/^\d{1,8}(\.\d{1,2})?$/.test(price));
      }),
      seeded({ numRuns: 2000 }),
    );
  });

  it("gives equal strings for equal amounts of cents, exactly, and does not change its own result", () => {
    const spelling = fc.record({
      cents: fc.integer({ min: 0, max: 9_999_999_999 }),
      zeros: fc.nat(7),
      cut: fc.boolean(),
    });
    fc.assert(
      fc.property(spelling, ({ cents, zeros, cut }) => {
        const digits = String(cents).padStart(3, "0");
        const canonical = `${digits.slice(0, -2)}.${digits.slice(-2)}`;
        const long = canonical.padStart(Math.min(canonical.length + zeros, 11), "0");
        const text = cut ? long.replace(/\.?0{1,2}$/, "") : long;
        expect(canonicalDecimal(text, 2)).to.equal(canonical);
        expect(canonicalDecimal(canonical, 2)).to.equal(canonical);
      }),
      seeded({ numRuns: 1000 }),
    );
  });

  it("takes another scale and another number of whole digits", () => {
    expect(canonicalDecimal("12", 0)).to.equal("12");
    expect(canonicalDecimal("12.5", 0)).to.equal(undefined);
    expect(canonicalDecimal("012.5", 4)).to.equal("12.5000");
    expect(canonicalDecimal("1234", 1, 3)).to.equal(undefined);
    expect(canonicalDecimal("123", 1, 3)).to.equal("123.0");
  });
});
