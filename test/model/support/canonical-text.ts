/** A value as one line of text that equal values share, for comparing and for messages. */

/** JSON with sorted fields, in which what JSON lacks (bigint, bytes, NaN, undefined) has a form of its own. */
export function canonicalText(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Uint8Array) return `bytes[${[...value].join(",")}]`;
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${fields.map(([name, field]) => `${name}:${canonicalText(field)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "undefined";
}

/** The value with every iterable in it (but text and bytes) as an array: what GroupByKey gives is read once. */
export function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (Symbol.iterator in value) return Array.from(value as Iterable<unknown>, plain);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}
