/** Calendar windows: days and months as a time zone counts them, whatever its clocks do in between. */
import { type CivilDate, civilOfDay, dayOfCivil, localDayOf, startOfDayMs } from "./time-zone.js";
import { IntervalWindow } from "./window.js";
import { checkWholeMs, jsonPayload, type WindowFn } from "./window-fn.js";

export const CALENDAR_DAYS_URN = "millrace:window_fn:calendar_days:v1";
export const CALENDAR_MONTHS_URN = "millrace:window_fn:calendar_months:v1";

/** Windows of `days` calendar days, counted from `startDay` (yyyy-mm-dd) on, from midnight to midnight. */
export function calendarDays({
  days = 1,
  timeZone = "UTC",
  startDay = "1970-01-01",
}: {
  readonly days?: number;
  readonly timeZone?: string;
  readonly startDay?: string;
} = {}): WindowFn<IntervalWindow> {
  checkWholeMs("days of calendarDays", days, 1);
  const start = dayOfCivil(parseDay(startDay));
  const windowOf = (localDay: number) => {
    const first = start + Math.floor((localDay - start) / days) * days;
    return new IntervalWindow(startOfDayMs(first, timeZone), startOfDayMs(first + days, timeZone));
  };
  const payload = jsonPayload({ days, timeZone, startDay });
  return calendarWindows(timeZone, windowOf, { urn: CALENDAR_DAYS_URN, payload });
}

/** Windows of `months` months, each from its `dayOfMonth` (1 to 28) on, counted from January 1970 on. */
export function calendarMonths({
  months = 1,
  dayOfMonth = 1,
  timeZone = "UTC",
}: {
  readonly months?: number;
  readonly dayOfMonth?: number;
  readonly timeZone?: string;
} = {}): WindowFn<IntervalWindow> {
  checkWholeMs("months of calendarMonths", months, 1);
  checkWholeMs("dayOfMonth of calendarMonths", dayOfMonth, 1);
  if (dayOfMonth > 28) throw new Error(`dayOfMonth of calendarMonths must be at most 28, got ${dayOfMonth}`);
  const firstOf = (month: number) => {
    const year = 1970 + Math.floor(month / 12);
    return dayOfCivil({ year, month: month - (year - 1970) * 12 + 1, day: dayOfMonth });
  };
  const windowOf = (localDay: number) => {
    const { year, month, day } = civilOfDay(localDay);
    const since1970 = (year - 1970) * 12 + month - 1 - (day < dayOfMonth ? 1 : 0);
    const first = Math.floor(since1970 / months) * months;
    return new IntervalWindow(
      startOfDayMs(firstOf(first), timeZone),
      startOfDayMs(firstOf(first + months), timeZone),
    );
  };
  const payload = jsonPayload({ months, dayOfMonth, timeZone });
  return calendarWindows(timeZone, windowOf, { urn: CALENDAR_MONTHS_URN, payload });
}

function calendarWindows(
  timeZone: string,
  windowOf: (localDay: number) => IntervalWindow,
  proto: { readonly urn: string; readonly payload: Uint8Array },
): WindowFn<IntervalWindow> {
  localDayOf(0, timeZone); // throws on a time zone that does not exist, while the graph is built
  let latest: readonly IntervalWindow[] = [];
  const assign = (timestampMs: number) => {
    const window = latest[0];
    if (window === undefined || timestampMs < window.startMs || timestampMs >= window.endMs) {
      latest = [windowOf(localDayOf(timestampMs, timeZone))];
    }
    return latest;
  };
  return {
    isMerging: false,
    assignsToOneWindow: true,
    windowCoder: "interval",
    assign,
    sideInputWindow: (main) => assign(main.maxTimestampMs)[0]!,
    toProto: () => proto,
  };
}

function parseDay(text: string): CivilDate {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? [];
  const date = { year: Number(year), month: Number(month), day: Number(day) };
  const again = civilOfDay(dayOfCivil(date));
  if (again.month === date.month && again.day === date.day) return date;
  throw new Error(`startDay of calendarDays must be a day such as 1970-01-01, got "${text}"`);
}
