/** Timestamps as text: what is accepted, its instant, and the one canonical UTC form in which equal instants are equal strings. */

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
  if (text.length < TO_SECONDS || !isDateAndTime(text)) return undefined;
  const zoneAt = endOfFraction(text);
  if (zoneAt === undefined) return undefined;
  const offset = offsetMinutes(text, zoneAt, OFFSET_HOURS_MAX);
  if (offset === 0) return canonicalUtc(text, zoneAt);
  return offset === undefined ? undefined : shiftedToUtc(text, zoneAt, offset);
}

/**
 * Milliseconds since 1970 of a text in the same format, but with offsets up to ±23:59, and whichever year the
 * instant is in as UTC; digits beyond milliseconds are cut. It is the event time of a record that nobody has
 * validated yet, and fast enough for every record of a backlog.
 */
export function timestampMsOf(text: string): number | undefined {
  if (text.length < TO_SECONDS || !isDateAndTime(text)) return undefined;
  const zoneAt = endOfFraction(text);
  const offset = zoneAt === undefined ? undefined : offsetMinutes(text, zoneAt, EVENT_OFFSET_HOURS_MAX);
  if (zoneAt === undefined || offset === undefined) return undefined;
  const minutes = daysSince1970(text) * 1440 + twoDigits(text, 11) * 60 + twoDigits(text, 14) - offset;
  return minutes * 60_000 + twoDigits(text, 17) * 1000 + fractionMs(text, zoneAt);
}

const FRACTION_DIGITS_MAX = 9;
/** As PostgreSQL takes them. */
const OFFSET_HOURS_MAX = 15;
const EVENT_OFFSET_HOURS_MAX = 23;

/** Length of `YYYY-MM-DDTHH:MM:SS`. */
const TO_SECONDS = 19;
/** Length of `YYYY-MM-DDTHH:MM:SS.ffffff`: the canonical form without its `Z`. */
const TO_MICROS = 26;

const DAYS_FROM_YEAR_1_TO_1970 = 719_162;
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

/** Where the digits of a second's fraction end, which may be missing; undefined when they are too few or many. */
function endOfFraction(text: string): number | undefined {
  if (text.charCodeAt(TO_SECONDS) !== POINT) return TO_SECONDS;
  let end = TO_SECONDS + 1;
  while (isDigit(text.charCodeAt(end))) end++;
  const digits = end - TO_SECONDS - 1;
  return digits >= 1 && digits <= FRACTION_DIGITS_MAX ? end : undefined;
}

function fractionMs(text: string, end: number): number {
  let ms = 0;
  for (let place = 100, at = TO_SECONDS + 1; place >= 1 && at < end; place /= 10, at++) {
    ms += place * (text.charCodeAt(at) - 48);
  }
  return ms;
}

/** Minutes east of UTC that the end of the text says, 0 for `Z` or nothing; undefined when it is no offset. */
function offsetMinutes(text: string, at: number, hoursMax: number): number | undefined {
  const rest = text.length - at;
  if (rest === 0) return 0;
  const sign = text.charCodeAt(at);
  if (rest === 1) return sign === UPPER_Z ? 0 : undefined;
  if (rest !== 6 || (sign !== PLUS && sign !== MINUS) || text.charCodeAt(at + 3) !== COLON) return undefined;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  if (hours < 0 || hours > hoursMax || minutes < 0 || minutes > 59) return undefined;
  const offset = hours * 60 + minutes;
  return sign === PLUS || offset === 0 ? offset : -offset;
}

/** Of the date that the text begins with, which must exist. */
function daysSince1970(text: string): number {
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const before = year - 1;
  const leapDays = ((before / 4) | 0) - ((before / 100) | 0) + ((before / 400) | 0);
  const leapDayPassed = month > 2 && isLeapYear(year) ? 1 : 0;
  const dayOfYear = DAYS_BEFORE_MONTH[month]! + leapDayPassed + twoDigits(text, 8) - 1;
  return before * 365 + leapDays + dayOfYear - DAYS_FROM_YEAR_1_TO_1970;
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
