/** The event time of a record: an ISO 8601 timestamp as milliseconds, fast enough for every record of a backlog. */

/**
 * Milliseconds since 1970 of `YYYY-MM-DD[T ]HH:MM:SS(.d{1,9})?(Z|±HH:MM)?`, without offset in UTC. Real dates of
 * the years 0001 to 9999, offsets up to 23:59; digits beyond milliseconds are cut. Undefined for any other text.
 */
export function timestampMsOf(text: string): number | undefined {
  const { length } = text;
  if (length < SECONDS_END) return undefined;
  const separator = text.charCodeAt(10);
  const isDateTime =
    text.charCodeAt(4) === DASH &&
    text.charCodeAt(7) === DASH &&
    (separator === LETTER_T || separator === SPACE) &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON;
  if (!isDateTime) return undefined;
  const days = daysSince1970(
    100 * twoDigits(text, 0) + twoDigits(text, 2),
    twoDigits(text, 5),
    twoDigits(text, 8),
  );
  const hours = twoDigits(text, 11);
  const minutes = twoDigits(text, 14);
  const seconds = twoDigits(text, 17);
  if (days === undefined || !isTimeOfDay(hours, minutes) || !isBelow(seconds, 60)) return undefined;
  const fractionEnd = endOfFraction(text);
  const offset = fractionEnd === undefined ? undefined : offsetMinutes(text, fractionEnd);
  if (fractionEnd === undefined || offset === undefined) return undefined;
  const wholeMs = ((days * 24 + hours) * 60 + minutes - offset) * 60_000 + seconds * 1000;
  return wholeMs + fractionMs(text, fractionEnd);
}

const SECONDS_END = 19;
const FRACTION_DIGITS_MAX = 9;
const SPACE = 0x20;
const PLUS = 0x2b;
const DASH = 0x2d;
const DOT = 0x2e;
const DIGIT_ZERO = 0x30;
const COLON = 0x3a;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;
/** Stands for text that is no number: so far below zero that no sum with real digits is valid. */
const NO_DIGITS = -1_000_000;
const DAYS_FROM_YEAR_1_TO_1970 = 719_162;
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/** Days from 1970-01-01 to a date of the Gregorian calendar; undefined when there is no such date. */
function daysSince1970(year: number, month: number, day: number): number | undefined {
  if (year < 1 || month < 1 || month > 12) return undefined;
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const before = DAYS_BEFORE_MONTH[month - 1]!;
  const daysInMonth = DAYS_BEFORE_MONTH[month]! - before + (isLeapYear && month === 2 ? 1 : 0);
  if (day < 1 || day > daysInMonth) return undefined;
  const past = year - 1;
  const leapDays = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
  const dayOfYear = before + (isLeapYear && month > 2 ? 1 : 0) + day - 1;
  return past * 365 + leapDays + dayOfYear - DAYS_FROM_YEAR_1_TO_1970;
}

/** Where the digits of a second's fraction end, which may be missing; undefined when they are too few or many. */
function endOfFraction(text: string): number | undefined {
  if (text.charCodeAt(SECONDS_END) !== DOT) return SECONDS_END;
  let end = SECONDS_END + 1;
  while (end < text.length && isBelow(text.charCodeAt(end) - DIGIT_ZERO, 10)) end++;
  const digits = end - SECONDS_END - 1;
  return digits >= 1 && digits <= FRACTION_DIGITS_MAX ? end : undefined;
}

function fractionMs(text: string, end: number): number {
  let ms = 0;
  for (let place = 100, at = SECONDS_END + 1; place >= 1 && at < end; place /= 10, at++) {
    ms += place * (text.charCodeAt(at) - DIGIT_ZERO);
  }
  return ms;
}

/** The offset that ends the text, in minutes east of UTC; 0 when there is none. */
function offsetMinutes(text: string, at: number): number | undefined {
  const rest = text.length - at;
  if (rest === 0) return 0;
  const sign = text.charCodeAt(at);
  if (rest === 1) return sign === LETTER_Z ? 0 : undefined;
  if (rest !== 6 || text.charCodeAt(at + 3) !== COLON || (sign !== PLUS && sign !== DASH)) return undefined;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  if (!isTimeOfDay(hours, minutes)) return undefined;
  return sign === PLUS ? 60 * hours + minutes : -60 * hours - minutes;
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - DIGIT_ZERO;
  const ones = text.charCodeAt(at + 1) - DIGIT_ZERO;
  return isBelow(tens, 10) && isBelow(ones, 10) ? 10 * tens + ones : NO_DIGITS;
}

function isTimeOfDay(hours: number, minutes: number): boolean {
  return isBelow(hours, 24) && isBelow(minutes, 60);
}

function isBelow(value: number, limit: number): boolean {
  return value >= 0 && value < limit;
}
