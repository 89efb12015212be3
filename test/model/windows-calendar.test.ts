/** Scenarios of calendar windows and of window functions of one's own. */
import { calendarDays, calendarMonths, registeredWindowFn } from "../../transforms/primitives/window-fns.js";
import { scenariosOf } from "./support/scenarios.js";
import { GAP_BY_VALUE, WINDOW_BY_VALUE } from "./support/window-fns-of-tests.js";
import { assigns, CATEGORY, groups } from "./support/window-scenarios.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const midnightUtc = (text: string) => Date.parse(`${text}T00:00:00Z`);
const interval = (from: string, to: string) => `${Date.parse(from)}/${Date.parse(to)}`;

scenariosOf(CATEGORY, () => {
  assigns(
    "calendar days follow the time zone through the change of clocks",
    ["calendar windows"],
    calendarDays({ timeZone: "Europe/Berlin" }),
    {
      "23 hours": {
        at: Date.parse("2024-03-31T12:00:00Z"),
        windows: [interval("2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z")],
      },
      "24 hours": {
        at: Date.parse("2024-07-01T21:59:59.999Z"),
        windows: [interval("2024-06-30T22:00:00Z", "2024-07-01T22:00:00Z")],
      },
      "25 hours": {
        at: Date.parse("2024-10-27T12:00:00Z"),
        windows: [interval("2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z")],
      },
    },
  );

  assigns("calendar days are UTC's unless told otherwise", ["calendar windows"], calendarDays(), {
    summer: {
      at: midnightUtc("2024-07-01"),
      windows: [`${midnightUtc("2024-07-01")}/${midnightUtc("2024-07-02")}`],
    },
    "before 1970": { at: -1, windows: [`${-DAY_MS}/0`] },
  });

  assigns(
    "calendar days taken seven at a time start on the weekday that they are told",
    ["calendar windows"],
    calendarDays({ days: 7, startDay: "2024-01-01" }),
    {
      monday: {
        at: midnightUtc("2024-02-05"),
        windows: [`${midnightUtc("2024-02-05")}/${midnightUtc("2024-02-12")}`],
      },
      sunday: {
        at: midnightUtc("2024-02-04") + 23 * HOUR_MS,
        windows: [`${midnightUtc("2024-01-29")}/${midnightUtc("2024-02-05")}`],
      },
      "before the start": {
        at: midnightUtc("2023-12-31"),
        windows: [`${midnightUtc("2023-12-25")}/${midnightUtc("2024-01-01")}`],
      },
    },
  );

  assigns("calendar months are as long as they are", ["calendar windows"], calendarMonths(), {
    "leap day": {
      at: midnightUtc("2024-02-29"),
      windows: [`${midnightUtc("2024-02-01")}/${midnightUtc("2024-03-01")}`],
    },
    december: {
      at: midnightUtc("2023-12-31") + DAY_MS - 1,
      windows: [`${midnightUtc("2023-12-01")}/${midnightUtc("2024-01-01")}`],
    },
    "before 1970": { at: -1, windows: [`${midnightUtc("1969-12-01")}/0`] },
  });

  assigns(
    "calendar quarters in New York start at its midnight, on the day they are told",
    ["calendar windows"],
    calendarMonths({ months: 3, dayOfMonth: 15, timeZone: "America/New_York" }),
    {
      "day before": {
        at: Date.parse("2024-04-15T03:59:59.999Z"),
        windows: [interval("2024-01-15T05:00:00Z", "2024-04-15T04:00:00Z")],
      },
      first: {
        at: Date.parse("2024-04-15T04:00:00Z"),
        windows: [interval("2024-04-15T04:00:00Z", "2024-07-15T04:00:00Z")],
      },
    },
  );

  assigns(
    "a window function of one's own may look at the element",
    ["custom windows"],
    registeredWindowFn(WINDOW_BY_VALUE, { smallMs: 10, largeMs: 100 }),
    {
      "small 1": { at: 15, windows: ["10/20"] },
      "large 1": { at: 15, windows: ["0/100"] },
      "both 1": { at: 15, windows: ["0/100", "10/20"] },
    },
  );

  groups(
    "a merging window function of one's own decides what merges",
    ["custom windows"],
    registeredWindowFn(GAP_BY_VALUE, { longMs: 50, shortMs: 5 }),
    [
      [0, "long a"],
      [40, "short b"],
      [44, "short c"],
      [60, "short d"],
      [100, "long e"],
    ],
    { "0/50": ["long a", "short b", "short c"], "60/65": ["short d"], "100/150": ["long e"] },
  );
});
