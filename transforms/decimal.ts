/** Decimal numbers as text: exact, and in one canonical form in which equal amounts are equal strings. */

/**
 * Parses digits with an optional point and at most `scale` digits after it, and returns the amount with
 * exactly `scale` digits after the point and no leading zeros: `007.5` → `7.50`; undefined when the text
 * is no such number. No sign, no exponent, no blanks, a digit on both sides of a point; never a float.
 * What it returns fits PostgreSQL's `numeric(wholeDigitsMax + scale, scale)`.
 *
 * @param wholeDigitsMax most digits before the point, leading zeros counted
 */
export function canonicalDecimal(text: string, scale: number, wholeDigitsMax = 8): string | undefined {
  const length = text.length;
  let at = 0;
  while (at < length && isDigit(text.charCodeAt(at))) at++;
  const whole = at;
  if (whole < 1 || whole > wholeDigitsMax) return undefined;
  let fractionDigits = 0;
  if (at < length) {
    if (text.charCodeAt(at) !== POINT) return undefined;
    at++;
    while (at < length && isDigit(text.charCodeAt(at))) at++;
    fractionDigits = at - whole - 1;
    if (at < length || fractionDigits < 1 || fractionDigits > scale) return undefined;
  }
  let first = 0;
  while (first < whole - 1 && text.charCodeAt(first) === ZERO) first++;
  if (fractionDigits === scale) return first === 0 ? text : text.slice(first);
  const point = fractionDigits === 0 ? "." : "";
  return text.slice(first) + point + "0".repeat(scale - fractionDigits);
}

const POINT = 46;
const ZERO = 48;

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
