/** Windows of the calendar: days and months as the clocks of a zone have them. */
import { expect } from "chai";
import fc from "fast-check";
import { GLOBAL_WINDOW_END_MS, MIN_TIMESTAMP_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import type { IntervalWindow } from "../../../transforms/primitives/window.js";
import { calendarDays, calendarMonths, type WindowFn } from "../../../transforms/primitives/window-fns.js";
import { checkProperty } from "../../support/check-property.js";

const iso = (window: IntervalWindow) =>
  `${new Date(window.startMs).toISOString()} ${new Date(window.endMs).toISOString()}`.replaceAll(
    ":00.000Z",
    "",
  );
const calendarOf = (fn: WindowFn<IntervalWindow>, at: string) =>
  iso(fn.assign(Date.parse(at), undefined)[0]!);

describe("calendarDays", () => {
  it("calendarDays() has 23 hours when Berlin's clocks go forward, 25 when they go back", () => {
    const fn = calendarDays({ timeZone: "Europe/Berlin" });
    expect(calendarOf(fn, "2024-03-30T23:30Z")).to.equal("2024-03-30T23:00 2024-03-31T22:00");
    expect(calendarOf(fn, "2024-03-30T22:59Z")).to.equal("2024-03-29T23:00 2024-03-30T23:00");
    expect(calendarOf(fn, "2024-03-31T21:59Z")).to.equal("2024-03-30T23:00 2024-03-31T22:00");
    expect(calendarOf(fn, "2024-10-27T12:00Z")).to.equal("2024-10-26T22:00 2024-10-27T23:00");
  });

  it("calendarDays() follows New York's clocks on other days", () => {
    const fn = calendarDays({ timeZone: "America/New_York" });
    expect(calendarOf(fn, "2024-03-10T12:00Z")).to.equal("2024-03-10T05:00 2024-03-11T04:00");
    expect(calendarOf(fn, "2024-11-03T12:00Z")).to.equal("2024-11-03T04:00 2024-11-04T05:00");
    expect(calendarOf(fn, "2024-11-04T04:59Z")).to.equal("2024-11-03T04:00 2024-11-04T05:00");
  });

  it("calendarDays() begins a day whose midnight the clocks skip at its first instant", () => {
    // São Paulo went from 23:59:59 of November 3 to 01:00 of November 4, 2018.
    const fn = calendarDays({ timeZone: "America/Sao_Paulo" });
    expect(calendarOf(fn, "2018-11-04T12:00Z")).to.equal("2018-11-04T03:00 2018-11-05T02:00");
  });

  it("calendarDays() begins a day with two midnights at the first", () => {
    // Havana's clocks go back from 01:00 to 00:00.
    const fn = calendarDays({ timeZone: "America/Havana" });
    expect(calendarOf(fn, "2024-11-03T12:00Z")).to.equal("2024-11-03T04:00 2024-11-04T05:00");
  });

  it("calendarDays() leaves out a day that a zone left out", () => {
    // Apia had no December 30, 2011.
    const fn = calendarDays({ timeZone: "Pacific/Apia" });
    expect(calendarOf(fn, "2011-12-30T09:59Z")).to.equal("2011-12-29T10:00 2011-12-30T10:00");
    expect(calendarOf(fn, "2011-12-30T10:00Z")).to.equal("2011-12-30T10:00 2011-12-31T10:00");
  });

  it("calendarDays() of several days counts from the start day on, backwards too", () => {
    const fn = calendarDays({ days: 7, startDay: "2024-01-01" });
    expect(calendarOf(fn, "2024-01-10T00:00Z")).to.equal("2024-01-08T00:00 2024-01-15T00:00");
    expect(calendarOf(fn, "2023-12-31T23:59Z")).to.equal("2023-12-25T00:00 2024-01-01T00:00");
    expect(calendarOf(fn, "1969-12-31T00:00Z")).to.equal("1969-12-29T00:00 1970-01-05T00:00");
  });

  it("calendarDays() takes Beam's earliest and latest times", () => {
    const fn = calendarDays({ timeZone: "Europe/Berlin" });
    for (const timestampMs of [MIN_TIMESTAMP_MS, GLOBAL_WINDOW_END_MS]) {
      const [window] = fn.assign(timestampMs, undefined);
      expect(window!.startMs <= timestampMs && timestampMs < window!.endMs).to.equal(true);
    }
  });

  it("calendarDays() refuses zones and days that do not exist", () => {
    expect(() => calendarDays({ timeZone: "Europe/Atlantis" })).to.throw(
      'there is no time zone "Europe/Atlantis"',
    );
    expect(() => calendarDays({ startDay: "2024-02-30" })).to.throw(
      'startDay of calendarDays must be a day such as 1970-01-01, got "2024-02-30"',
    );
  });

  it("calendarDays() by property: windows hold their time and follow one another without a gap", () => {
    const zones = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Sao_Paulo", "UTC"];
    checkProperty(
      fc.property(
        fc.integer({ min: -5e12, max: 5e12 }),
        fc.constantFrom(...zones),
        fc.integer({ min: 1, max: 9 }),
        (timestampMs, timeZone, days) => {
          const [window] = calendarDays({ timeZone, days }).assign(timestampMs, undefined);
          expect(window!.startMs <= timestampMs && timestampMs < window!.endMs).to.equal(true);
          const [next] = calendarDays({ timeZone, days }).assign(window!.endMs, undefined);
          expect(next!.startMs).to.equal(window!.endMs);
        },
      ),
      300,
    );
  });
});

describe("calendarMonths", () => {
  it("calendarMonths() has the month's days, leap years and clocks included", () => {
    expect(calendarOf(calendarMonths(), "2024-02-29T23:59Z")).to.equal("2024-02-01T00:00 2024-03-01T00:00");
    const berlin = calendarMonths({ timeZone: "Europe/Berlin" });
    expect(calendarOf(berlin, "2024-03-15T00:00Z")).to.equal("2024-02-29T23:00 2024-03-31T22:00");
  });

  it("calendarMonths() begins months at a day of theirs, and years before 1970", () => {
    const fn = calendarMonths({ months: 3, dayOfMonth: 15 });
    expect(calendarOf(fn, "2024-01-14T00:00Z")).to.equal("2023-10-15T00:00 2024-01-15T00:00");
    expect(calendarOf(fn, "2024-01-15T00:00Z")).to.equal("2024-01-15T00:00 2024-04-15T00:00");
    expect(calendarOf(calendarMonths({ months: 12 }), "1969-06-01T00:00Z")).to.equal(
      "1969-01-01T00:00 1970-01-01T00:00",
    );
  });

  it("calendarMonths() refuses a day that not every month has", () => {
    expect(() => calendarMonths({ dayOfMonth: 29 })).to.throw(
      "dayOfMonth of calendarMonths must be at most 28, got 29",
    );
  });
});
