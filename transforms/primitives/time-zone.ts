/** Days of a time zone: which local day an instant is in, and when a local day begins. */

/** A day of the Gregorian calendar, also before it was in use. `month` from 1. */
export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const DAY_MS = 86_400_000;
/** As far as JavaScript's Date and with it Intl go; beyond, the offset at the end is taken. */
const DATE_MAX_MS = 8_640_000_000_000_000;

/** Days since 1970-01-01 of the calendar day that the time zone has at an instant. */
export function localDayOf(instantMs: number, timeZone: string): number {
  return Math.floor((instantMs + offsetMsAt(instantMs, timeZone)) / DAY_MS);
}

/**
 * When a local day begins: at its midnight, at the earlier of two, or, where clocks skip midnight, at the
 * first instant that they show the day. A day that a zone left out begins with the next one.
 */
export function startOfDayMs(day: number, timeZone: string): number {
  const asUtcMs = day * DAY_MS;
  const offsets = [offsetMsAt(asUtcMs - DAY_MS, timeZone), offsetMsAt(asUtcMs + DAY_MS, timeZone)];
  const midnights = offsets
    .map((offsetMs) => asUtcMs - offsetMs)
    .filter((instantMs) => instantMs + offsetMsAt(instantMs, timeZone) === asUtcMs);
  if (midnights.length > 0) return Math.min(...midnights);
  return firstInstantMs(
    asUtcMs - Math.max(...offsets),
    asUtcMs - Math.min(...offsets),
    (instantMs) => localDayOf(instantMs, timeZone) >= day,
  );
}

/** The first instant in (beforeMs, atLatestMs] at which something has become true. */
function firstInstantMs(
  beforeMs: number,
  atLatestMs: number,
  isTrue: (instantMs: number) => boolean,
): number {
  let low = beforeMs - 1;
  let high = atLatestMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isTrue(middle)) high = middle;
    else low = middle;
  }
  return high;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the zone's clocks are ahead of UTC. @throws on an unknown zone. */
function offsetMsAt(instantMs: number, timeZone: string): number {
  if (timeZone === "UTC") return 0;
  const instant = Math.max(-DATE_MAX_MS, Math.min(DATE_MAX_MS, Math.floor(instantMs / 1000) * 1000));
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(instant)) parts[type] = value;
  const number = (type: Intl.DateTimeFormatPartTypes) => Number(parts[type]);
  const year = parts.era === "BC" ? 1 - number("year") : number("year");
  const localDay = dayOfCivil({ year, month: number("month"), day: number("day") });
  const secondOfDay = (number("hour") * 60 + number("minute")) * 60 + number("second");
  return localDay * DAY_MS + secondOfDay * 1000 - instant;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
        timeZone,
        hourCycle: "h23",
        era: "short",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch (cause) {
      throw new Error(`there is no time zone "${timeZone}"`, { cause });
    }
    formats.set(timeZone, format);
  }
  return format;
}

const ERA_DAYS = 146_097; // 400 years
const DAYS_TO_1970 = 719_468; // from 0000-03-01: years that begin in March have their leap day at the end

/** Days since 1970-01-01. */
export function dayOfCivil({ year, month, day }: CivilDate): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * ERA_DAYS + dayOfEra - DAYS_TO_1970;
}

/** The day that is this many days after 1970-01-01. */
export function civilOfDay(daysSince1970: number): CivilDate {
  const days = daysSince1970 + DAYS_TO_1970;
  const era = Math.floor(days / ERA_DAYS);
  const dayOfEra = days - era * ERA_DAYS;
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}
