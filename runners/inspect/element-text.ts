/** Any element as text of a bounded length, without calling anything of it. */
import { isUtf8 } from "node:buffer";

const TEXT_MAX = 2_000;
const STRING_MAX = 500;
/** An element may hold all of the block that it was read in. */
const BYTES_MAX = 64;
const ENTRIES_MAX = 20;
const DEPTH_MAX = 5;
const CUT = "…";

/** As JSON, bytes as text or in hexadecimal; what is cut ends with `…`. */
export function elementText(element: unknown): string {
  const text = JSON.stringify(plain(element, 0)) ?? "undefined";
  return text.length <= TEXT_MAX ? text : cut(text, TEXT_MAX);
}

function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return cut(value, STRING_MAX);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    case "function":
    case "symbol":
      return `[${typeof value}]`;
    case "object":
      return value === null ? null : plainObject(value, depth);
    default:
      return value;
  }
}

function plainObject(value: object, depth: number): unknown {
  if (value instanceof Uint8Array) return bytesText(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (depth === DEPTH_MAX) return CUT;
  if (Array.isArray(value)) return list(value.length, value, depth);
  if (value instanceof Set) return list(value.size, value, depth);
  if (value instanceof Map) return list(value.size, value, depth);
  const keys = Object.keys(value);
  const shown = keys.slice(0, ENTRIES_MAX).map((key) => {
    const { get, value: inner } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    return [cut(key, STRING_MAX), get === undefined ? plain(inner, depth + 1) : "[getter]"];
  });
  if (keys.length > ENTRIES_MAX) shown.push([CUT, `${keys.length - ENTRIES_MAX} more`]);
  return Object.fromEntries(shown);
}

function list(size: number, values: Iterable<unknown>, depth: number): unknown[] {
  const shown: unknown[] = [];
  for (const value of values) {
    if (shown.length === ENTRIES_MAX) break;
    shown.push(plain(value, depth + 1));
  }
  return size > ENTRIES_MAX ? [...shown, `${CUT} ${size - ENTRIES_MAX} more`] : shown;
}

function bytesText(bytes: Uint8Array): string {
  const shown = bytes.subarray(0, BYTES_MAX);
  const end = bytes.length > BYTES_MAX ? `${CUT} (${bytes.length} bytes)` : "";
  if (!isUtf8(bytes)) return `0x${Buffer.from(shown).toString("hex")}${end}`;
  // a character that the cut divides is left out
  return new TextDecoder().decode(shown, { stream: true }) + end;
}

/** Never within a character of two units. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? max - 1 : max) + CUT;
}
