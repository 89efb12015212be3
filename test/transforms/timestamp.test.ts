/** Timestamps: what is accepted, and that one instant has one canonical text. */
import { expect } from "chai";
import fc from "fast-check";
import { canonicalTimestamp, timestampMsOf } from "../../transforms/timestamp.js";
import { seeded } from "../support/property-seed.js";

const accepted: readonly (readonly [why: string, text: string, canonical: string])[] = [
  ["the canonical form itself", "2024-05-06T07:08:09.123456Z", "2024-05-06T07:08:09.123456Z"],
  ["T, no fraction, no offset", "2024-05-06T07:08:09", "2024-05-06T07:08:09.000000Z"],
  ["a blank for T", "2024-05-06 07:08:09", "2024-05-06T07:08:09.000000Z"],
  ["a blank and Z", "2024-05-06 07:08:09Z", "2024-05-06T07:08:09.000000Z"],
  ["1 digit", "2024-05-06T07:08:09.1Z", "2024-05-06T07:08:09.100000Z"],
  ["2 digits", "2024-05-06T07:08:09.12", "2024-05-06T07:08:09.120000Z"],
  ["3 digits", "2024-05-06T07:08:09.123Z", "2024-05-06T07:08:09.123000Z"],
  ["4 digits", "2024-05-06 07:08:09.1234Z", "2024-05-06T07:08:09.123400Z"],
  ["5 digits", "2024-05-06T07:08:09.12345", "2024-05-06T07:08:09.123450Z"],
  ["6 digits without Z", "2024-05-06T07:08:09.123456", "2024-05-06T07:08:09.123456Z"],
  ["6 digits after a blank", "2024-05-06 07:08:09.123456Z", "2024-05-06T07:08:09.123456Z"],
  ["7 digits, cut", "2024-05-06T07:08:09.1234569Z", "2024-05-06T07:08:09.123456Z"],
  ["8 digits, cut", "2024-05-06T07:08:09.12345699", "2024-05-06T07:08:09.123456Z"],
  ["9 digits, cut and not rounded up", "2024-12-31T23:59:59.999999999Z", "2024-12-31T23:59:59.999999Z"],
  ["9 digits and an offset", "2024-05-06T07:08:09.999999999+01:00", "2024-05-06T06:08:09.999999Z"],
  ["leap day", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"],
  ["leap day of a year divisible by 400", "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"],
  ["first moment", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"],
  ["last moment", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"],
  ["+00:00", "2024-05-06T07:08:09+00:00", "2024-05-06T07:08:09.000000Z"],
  ["-00:00", "2024-05-06T07:08:09-00:00", "2024-05-06T07:08:09.000000Z"],
  ["an offset with minutes", "2024-05-06T07:08:09+05:30", "2024-05-06T01:38:09.000000Z"],
  ["a negative offset", "2024-05-06 07:08:09.5-03:30", "2024-05-06T10:38:09.500000Z"],
  ["the largest offset", "2024-05-06T16:00:00+15:59", "2024-05-06T00:01:00.000000Z"],
  ["the smallest offset", "2024-05-06T08:00:59-15:59", "2024-05-06T23:59:59.000000Z"],
  ["an offset to the day before", "2024-05-06T00:30:00+01:00", "2024-05-05T23:30:00.000000Z"],
  ["an offset to the day after", "2024-05-06T23:30:00-01:00", "2024-05-07T00:30:00.000000Z"],
  ["an offset into a leap day", "2024-03-01T00:00:00+00:01", "2024-02-29T23:59:00.000000Z"],
  ["an offset out of February", "2023-02-28T23:59:00-00:01", "2023-03-01T00:00:00.000000Z"],
  ["an offset into the year before", "2024-01-01T00:00:00+02:00", "2023-12-31T22:00:00.000000Z"],
  ["an offset into the year after", "2024-12-31T23:00:00-02:00", "2025-01-01T01:00:00.000000Z"],
  ["an offset that stays in year 1", "0001-01-01T01:00:00+01:00", "0001-01-01T00:00:00.000000Z"],
  ["an offset that stays in year 9999", "9999-12-31T22:59:59-01:00", "9999-12-31T23:59:59.000000Z"],
];

const refused: readonly (readonly [why: string, text: string])[] = [
  ["empty", ""],
  ["a date alone", "2024-05-06"],
  ["no seconds", "2024-05-06T07:08Z"],
  ["29 February 2023", "2023-02-29T00:00:00Z"],
  ["29 February 1900", "1900-02-29T00:00:00Z"],
  ["30 February", "2024-02-30T00:00:00Z"],
  ["31 April", "2024-04-31T00:00:00Z"],
  ["31 June", "2024-06-31T00:00:00Z"],
  ["31 September", "2024-09-31T00:00:00Z"],
  ["31 November", "2024-11-31T00:00:00Z"],
  ["day 32", "2024-01-32T00:00:00Z"],
  ["day 0", "2024-01-00T00:00:00Z"],
  ["month 0", "2024-00-01T00:00:00Z"],
  ["month 13", "2024-13-01T00:00:00Z"],
  ["year 0", "0000-01-01T00:00:00Z"],
  ["year 10000", "10000-01-01T00:00:00Z"],
  ["a signed year", "+2024-01-01T00:00:00Z"],
  ["a year of 3 digits", "999-01-01T00:00:00Z"],
  ["24:00:00", "2024-05-06T24:00:00Z"],
  ["minute 60", "2024-05-06T07:60:00Z"],
  ["second 60", "2016-12-31T23:59:60Z"],
  ["single digits", "2024-5-6T7:8:9Z"],
  ["lower-case t", "2024-05-06t07:08:09Z"],
  ["lower-case z", "2024-05-06T07:08:09z"],
  ["two blanks", "2024-05-06  07:08:09"],
  ["a blank before Z", "2024-05-06T07:08:09 Z"],
  ["a blank before", " 2024-05-06T07:08:09Z"],
  ["a blank after", "2024-05-06T07:08:09Z "],
  ["a newline after", "2024-05-06T07:08:09Z\n"],
  ["a NUL after", "2024-05-06T07:08:09\0"],
  ["slashes", "2024/05/06T07:08:09Z"],
  ["a comma before the fraction", "2024-05-06T07:08:09,5Z"],
  ["a point without digits", "2024-05-06T07:08:09."],
  ["a point and Z without digits", "2024-05-06T07:08:09.Z"],
  ["10 digits", "2024-05-06T07:08:09.1234567890Z"],
  ["two fractions", "2024-05-06T07:08:09.1.2Z"],
  ["an offset without colon", "2024-05-06T07:08:09+0530"],
  ["an offset of hours", "2024-05-06T07:08:09+05"],
  ["an offset with seconds", "2024-05-06T07:08:09+05:30:00"],
  ["an offset without sign", "2024-05-06T07:08:0905:30"],
  ["an offset with a true minus sign", "2024-05-06T07:08:09\u221205:30"],
  ["Z and an offset", "2024-05-06T07:08:09Z+00:00"],
  ["offset +16:00", "2024-05-06T07:08:09+16:00"],
  ["offset -16:00", "2024-05-06T07:08:09-16:00"],
  ["offset minute 60", "2024-05-06T07:08:09+05:60"],
  ["an offset that leaves year 1", "0001-01-01T00:59:59+01:00"],
  ["an offset that leaves year 9999", "9999-12-31T23:00:00-01:00"],
  ["a name of a zone", "2024-05-06T07:08:09UTC"],
  ["Arabic digits", "٢٠٢٤-05-06T07:08:09Z"],
  ["full-width digits", "2024-05-06T07:08:0\uff19"],
  ["epoch seconds", "1714979289"],
  ["BC", "0001-01-01T00:00:00 BC"],
  ["infinity", "infinity"],
];

const DAY = 86_400_000_000n;
const MINUTE = 60_000_000n;
const YEAR_1 = BigInt(Date.parse("0001-01-01T00:00:00Z")) * 1000n;
const YEAR_10000 = BigInt(Date.parse("9999-12-31T23:59:59.999Z") + 1) * 1000n;

/** Microseconds since 1970, and an offset that keeps the local time within the years that can be written. */
const instant = fc.bigInt({ min: YEAR_1 + DAY, max: YEAR_10000 - DAY - 1n });
const offset = fc.integer({ min: -959, max: 959 });

/** The instant as text with six digits, by another way: BigInt and Date. */
function written(micros: bigint, offsetMinutes = 0): string {
  const local = micros + BigInt(offsetMinutes) * MINUTE;
  const microsOfMs = ((local % 1000n) + 1000n) % 1000n;
  const iso = new Date(Number((local - microsOfMs) / 1000n)).toISOString();
  return iso.slice(0, 23) + String(microsOfMs).padStart(3, "0");
}

function offsetText(minutes: number): string {
  const pad = (n: number) => String(n).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

describe("canonicalTimestamp()", () => {
  for (const [why, text, canonical] of accepted) {
    it(`takes ${why}: ${JSON.stringify(text)}`, () => {
      expect(canonicalTimestamp(text)).to.equal(canonical);
    });
  }
  for (const [why, text] of refused) {
    it(`refuses ${why}: ${JSON.stringify(text)}`, () => {
      expect(canonicalTimestamp(text)).to.equal(undefined);
    });
  }

  it("gives equal strings for equal instants, whatever the offset and separator", () => {
    fc.assert(
      fc.property(instant, offset, fc.constantFrom("T", " "), (micros, minutes, separator) => {
        const text = written(micros, minutes).replace("T", separator) + offsetText(minutes);
        expect(canonicalTimestamp(text)).to.equal(`${written(micros)}Z`);
      }),
      seeded({ numRuns: 2000 }),
    );
  });

  it("gives different strings, in the order of time, for different instants", () => {
    fc.assert(
      fc.property(instant, offset, instant, offset, (a, offsetA, b, offsetB) => {
        const first = canonicalTimestamp(written(a, offsetA) + offsetText(offsetA))!;
        const second = canonicalTimestamp(written(b, offsetB) + offsetText(offsetB))!;
        expect(first < second).to.equal(a < b);
        expect(first === second).to.equal(a === b);
      }),
      seeded({ numRuns: 500 }),
    );
  });

  it("does not change its own result", () => {
    fc.assert(
      fc.property(instant, offset, fc.integer({ min: 0, max: 999 }), (micros, minutes, nanos) => {
        const text = written(micros, minutes) + String(nanos).padStart(3, "0") + offsetText(minutes);
        const canonical = canonicalTimestamp(text)!;
        expect(canonicalTimestamp(canonical)).to.equal(canonical);
      }),
      seeded(),
    );
  });

  it("gives a text of the same instant, but for what it cuts", () => {
    fc.assert(
      fc.property(instant, offset, (micros, minutes) => {
        const text = written(micros, minutes) + offsetText(minutes);
        const ms = Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n);
        expect([timestampMsOf(text), timestampMsOf(canonicalTimestamp(text)!)]).to.deep.equal([ms, ms]);
      }),
      seeded(),
    );
  });

  it("takes exactly the dates that exist", () => {
    const pad = (n: number, size: number) => String(n).padStart(size, "0");
    const part = fc.tuple(
      fc.integer({ min: 0, max: 9999 }),
      fc.integer({ min: 0, max: 14 }),
      fc.integer({ min: 0, max: 33 }),
    );
    fc.assert(
      fc.property(part, ([year, month, day]) => {
        const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
        const real = new Date(0);
        real.setUTCFullYear(year, month - 1, day);
        const exists =
          year > 0 &&
          real.getUTCFullYear() === year &&
          real.getUTCMonth() === month - 1 &&
          real.getUTCDate() === day;
        expect(canonicalTimestamp(`${date}T00:00:00Z`) !== undefined).to.equal(exists);
      }),
      seeded({ numRuns: 2000 }),
    );
  });

  it("takes nothing that the documented pattern does not match", () => {
    const pattern = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/;
    const mutated = fc.tuple(
      fc.constantFrom(...accepted.map(([, text]) => text)),
      fc.nat(36),
      fc.constantFrom("", "0", "9", ":", ".", "-", "+", "T", "Z", " ", "/", "\0", "é"),
      fc.boolean(),
    );
    fc.assert(
      fc.property(mutated, ([text, at, inserted, replace]) => {
        const changed = text.slice(0, at) + inserted + text.slice(replace ? at + 1 : at);
        if (canonicalTimestamp(changed) !== undefined) expect(changed).to.match(pattern);
      }),
      seeded({ numRuns: 2000 }),
    );
  });
});
