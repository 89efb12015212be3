/** Timestamps as text: what is accepted, and the one canonical UTC form in which equal instants are equal strings. */

/**
 * Parses `YYYY-MM-DD[T ]HH:MM:SS(.d{1,9})?(Z|±HH:MM)?` and returns the instant as
 * `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always UTC with six digits; undefined when the text is no such timestamp.
 *
 * Without an offset the text is UTC. Dates must exist (proleptic Gregorian, years 0001–9999), hours are
 * 00–23, minutes and seconds 00–59 (no leap second, no 24:00), offsets up to ±15:59 as PostgreSQL takes
 * them. Digits beyond microseconds are cut, not rounded. `T` and `Z` are upper case. An offset that moves
 * the instant out of the years 0001–9999 UTC makes the text invalid: it could not be written in this form.
 */
export function canonicalTimestamp(text: string): string | undefined {
  const length = text.length;
  if (length < TO_SECONDS || !isDateAndTime(text)) return undefined;

  let zoneAt = TO_SECONDS;
  if (text.charCodeAt(zoneAt) === POINT) {
    zoneAt++;
    while (isDigit(text.charCodeAt(zoneAt))) zoneAt++;
    const digits = zoneAt - TO_SECONDS - 1;
    if (digits < 1 || digits > fractionDigitsMax) return undefined;
  }
  if (zoneAt === length || (zoneAt === length - 1 && text.charCodeAt(zoneAt) === UPPER_Z)) {
    return canonicalUtc(text, zoneAt);
  }
  const offset = offsetMinutes(text, zoneAt);
  return offset === undefined ? undefined : shiftedToUtc(text, zoneAt, offset);
}

/** A timestamp as PostgreSQL's binary formats count it. */
export interface TimestampParts {
  /** Whole days since 2000-01-01 UTC; negative before. */
  readonly days: number;
  /** Microseconds since the start of that day, 0 to 86,399,999,999. */
  readonly microsOfDay: number;
}

/**
 * Splits what `canonicalTimestamp` returned, and nothing else: the text is trusted. Day and time stay
 * apart because their sum in microseconds is not exact in a number for every year up to 9999.
 */
export function timestampParts(canonical: string): TimestampParts {
  const year = twoDigits(canonical, 0) * 100 + twoDigits(canonical, 2);
  const month = twoDigits(canonical, 5);
  const before = year - 1;
  const leapDays = ((before / 4) | 0) - ((before / 100) | 0) + ((before / 400) | 0);
  const leapDayPassed = month > 2 && isLeapYear(year) ? 1 : 0;
  const dayOfYear = DAYS_BEFORE_MONTH[month]! + leapDayPassed + twoDigits(canonical, 8) - 1;
  const seconds = twoDigits(canonical, 11) * 3600 + twoDigits(canonical, 14) * 60 + twoDigits(canonical, 17);
  const micros =
    twoDigits(canonical, 20) * 10_000 + twoDigits(canonical, 22) * 100 + twoDigits(canonical, 24);
  return {
    days: before * 365 + leapDays + dayOfYear - DAYS_TO_2000,
    microsOfDay: seconds * 1_000_000 + micros,
  };
}

/** Milliseconds since 1970 (cut, never rounded up) of what `canonicalTimestamp` returned: Beam's event time. */
export function timestampMs(canonical: string): number {
  const { days, microsOfDay } = timestampParts(canonical);
  return (days + DAYS_1970_TO_2000) * 86_400_000 + Math.floor(microsOfDay / 1000);
}

const fractionDigitsMax = 9;
const offsetHoursMax = 15;

/** Length of `YYYY-MM-DDTHH:MM:SS`. */
const TO_SECONDS = 19;
/** Length of `YYYY-MM-DDTHH:MM:SS.ffffff`: the canonical form without its `Z`. */
const TO_MICROS = 26;

const DAYS_TO_2000 = 730_119;
const DAYS_1970_TO_2000 = 10_957;
/** Days of a common year before its month 1 to 12; index 0 is not used. */
const DAYS_BEFORE_MONTH = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

const SPACE = 32;
const PLUS = 43;
const MINUS = 45;
const POINT = 46;
const COLON = 58;
const UPPER_T = 84;
const UPPER_Z = 90;

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** The number that two digits write, or -1000: low enough to stay negative as half of a year. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1000;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Whether the first 19 characters are an existing date and a time of day. */
function isDateAndTime(text: string): boolean {
  const separator = text.charCodeAt(10);
  if (
    text.charCodeAt(4) !== MINUS ||
    text.charCodeAt(7) !== MINUS ||
    (separator !== UPPER_T && separator !== SPACE) ||
    text.charCodeAt(13) !== COLON ||
    text.charCodeAt(16) !== COLON
  ) {
    return false;
  }
  const century = twoDigits(text, 0);
  const yearOfCentury = twoDigits(text, 2);
  const year = century * 100 + yearOfCentury;
  if (century < 0 || yearOfCentury < 0 || year < 1) return false;
  const month = twoDigits(text, 5);
  if (month < 1 || month > 12) return false;
  const day = twoDigits(text, 8);
  if (day < 1 || (day > 28 && day > daysInMonth(year, month))) return false;
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59;
}

/** The canonical form of a text already in UTC, from the text's own pieces. */
function canonicalUtc(text: string, zoneAt: number): string {
  const withT = text.charCodeAt(10) === UPPER_T;
  if (withT && zoneAt === TO_MICROS && text.length === TO_MICROS + 1) return text;
  const end = Math.min(zoneAt, TO_MICROS);
  const rest = REST_AFTER[end - TO_SECONDS]!;
  return withT ? text.slice(0, end) + rest : `${text.slice(0, 10)}T${text.slice(11, end)}${rest}`;
}

/** What completes the first 19 characters, or 19 and a point (never alone) with 1 to 6 digits. */
const REST_AFTER = [".000000Z", "000000Z", "00000Z", "0000Z", "000Z", "00Z", "0Z", "Z"];

/** Minutes east of UTC that `±HH:MM` at the end of the text says; undefined when it is none. */
function offsetMinutes(text: string, at: number): number | undefined {
  const sign = text.charCodeAt(at);
  if (text.length !== at + 6 || (sign !== PLUS && sign !== MINUS) || text.charCodeAt(at + 3) !== COLON) {
    return undefined;
  }
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  if (hours < 0 || hours > offsetHoursMax || minutes < 0 || minutes > 59) return undefined;
  return sign === PLUS ? hours * 60 + minutes : -(hours * 60 + minutes);
}

/** An offset is less than a day, so the date moves by one day at most. */
function shiftedToUtc(text: string, zoneAt: number, offset: number): string | undefined {
  let year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  let month = twoDigits(text, 5);
  let day = twoDigits(text, 8);
  let minuteOfDay = twoDigits(text, 11) * 60 + twoDigits(text, 14) - offset;
  if (minuteOfDay < 0) {
    minuteOfDay += 1440;
    if (--day === 0) {
      if (--month === 0) {
        month = 12;
        year--;
      }
      day = daysInMonth(year, month);
    }
  } else if (minuteOfDay >= 1440) {
    minuteOfDay -= 1440;
    if (++day > daysInMonth(year, month)) {
      day = 1;
      if (++month > 12) {
        month = 1;
        year++;
      }
    }
  }
  if (year < 1 || year > 9999) return undefined;
  const date = `${String(year).padStart(4, "0")}-${padded(month)}-${padded(day)}`;
  const time = `${padded((minuteOfDay / 60) | 0)}:${padded(minuteOfDay % 60)}`;
  const local = `${date}T${time}${text.slice(16, zoneAt)}`;
  return canonicalUtc(local, local.length);
}

function padded(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}
