/** timestampMsOf() on each rule of its format, and compared with Date on random instants. */
import { expect } from "chai";
import fc from "fast-check";
import { timestampMsOf } from "../../transforms/timestamp.js";
import { checkProperty } from "../support/check-property.js";

describe("timestampMsOf()", () => {
  const accepted: [string, number][] = [
    ["1970-01-01T00:00:00Z", 0],
    ["1970-01-01 00:00:00", 0],
    ["1970-01-01T01:30:00+01:30", 0],
    ["1969-12-31T14:00:00-10:00", 0],
    ["1970-01-01T23:59:00+23:59", 0],
    ["1970-01-01T00:00:00.1", 100],
    ["1970-01-01T00:00:00.12Z", 120],
    ["1970-01-01T00:00:00.123456789+00:00", 123],
    ["1970-01-01T00:00:00.000999999Z", 0],
    ["1969-12-31T23:59:59.999Z", -1],
    ["2024-02-29T12:34:56.789Z", Date.UTC(2024, 1, 29, 12, 34, 56, 789)],
    ["2000-02-29T00:00:00Z", Date.UTC(2000, 1, 29)],
    ["2023-12-31T23:59:59Z", Date.UTC(2023, 11, 31, 23, 59, 59)],
    ["0001-01-01T00:00:00Z", -62_135_596_800_000],
    ["9999-12-31T23:59:59.999Z", 253_402_300_799_999],
  ];
  for (const [text, ms] of accepted) {
    it(`reads ${text}`, () => expect(timestampMsOf(text)).to.equal(ms));
  }

  const refused = [
    "",
    "2025-01-01",
    "2025-01-01T00:00",
    "2025-01-01T00:00:0",
    "2025-1-01T00:00:000",
    "2025-01-01t00:00:00Z",
    "2025-01-01  00:00:00",
    "2025-01-01T00:00:00z",
    "2025-01-01T00:00:00 Z",
    " 2025-01-01T00:00:00Z",
    "2025-01-01T00:00:00Z ",
    "2025-01-01T00:00:00\r",
    "2025/01/01T00:00:00Z",
    "2025-01-01T00-00-00Z",
    "0000-01-01T00:00:00Z",
    "20x5-01-01T00:00:00Z",
    "202x-01-01T00:00:00Z",
    "x025-01-01T00:00:00Z",
    "-025-01-01T00:00:00Z",
    "2025-00-01T00:00:00Z",
    "2025-13-01T00:00:00Z",
    "2025-01-00T00:00:00Z",
    "2025-01-32T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2025-04-31T00:00:00Z",
    "2025-01-01T24:00:00Z",
    "2025-01-01T00:60:00Z",
    "2025-01-01T00:00:60Z",
    "2025-01-01T00:00:0xZ",
    "2025-01-01T00:00:00.Z",
    "2025-01-01T00:00:00.",
    "2025-01-01T00:00:00,5Z",
    "2025-01-01T00:00:00.1234567890Z",
    "2025-01-01T00:00:00.1x",
    "2025-01-01T00:00:00+01",
    "2025-01-01T00:00:00+0100",
    "2025-01-01T00:00:00+01:0",
    "2025-01-01T00:00:00+01:000",
    "2025-01-01T00:00:00+24:00",
    "2025-01-01T00:00:00+01:60",
    "2025-01-01T00:00:00*01:00",
    "2025-01-01T00:00:00+0x:00",
    "２025-01-01T00:00:00Z",
    "12025-01-01T00:00:00Z",
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(timestampMsOf(text)).to.equal(undefined));
  }

  it("agrees with Date on every instant of the years 0001 to 9999, written with any offset", () => {
    const instant = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
    const property = fc.property(instant, fc.integer({ min: -1439, max: 1439 }), (ms, offset) => {
      const local = new Date(ms).toISOString().slice(0, -1);
      const digits = (n: number): string => String(Math.trunc(n)).padStart(2, "0");
      const east = Math.abs(offset);
      const text = `${local}${offset < 0 ? "-" : "+"}${digits(east / 60)}:${digits(east % 60)}`;
      expect(timestampMsOf(text)).to.equal(ms - offset * 60_000);
      expect(timestampMsOf(`${local}Z`)).to.equal(ms);
    });
    checkProperty(property, 2000);
  });

  it("knows the days that Date knows", () => {
    for (const year of [1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9999]) {
      for (let day = 0; day < 12 * 33; day++) {
        const two = (n: number): string => String(n).padStart(2, "0");
        const text = `${String(year).padStart(4, "0")}-${two(1 + Math.floor(day / 33))}-${two(day % 33)}T00:00:00.000Z`;
        const date = new Date(text);
        const isReal = !Number.isNaN(date.getTime()) && date.toISOString() === text;
        expect(timestampMsOf(text), text).to.equal(isReal ? date.getTime() : undefined);
      }
    }
  });
});
