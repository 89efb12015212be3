/** What coders throw: a value that cannot be encoded, with its path, and bytes that cannot be decoded. */

/** A value that a coder cannot carry. The message begins with the path: `value.items[3].f: a function cannot …`. */
export class EncodeError extends Error {
  override readonly name = "EncodeError";
  #path = "";

  constructor(readonly reason: string) {
    super(`value: ${reason}`);
  }

  /** Where in the value it is, as one would write it in JavaScript: `.items[3].f`; "" for the value itself. */
  get path(): string {
    return this.#path;
  }

  /** Puts the error one level deeper: the value that failed is at `segment` of the value being encoded. */
  nestUnder(segment: string): this {
    const before = this.message;
    this.#path = segment + this.#path;
    this.message = `value${this.#path}: ${this.reason}`;
    this.stack = this.stack?.replace(before, () => this.message) ?? "";
    return this;
  }
}

/** Bytes that are no encoding of a value: cut off, or of another coder. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** The error with the place added to it, to be thrown again; errors of other makers stay as they are. */
export function within(error: unknown, segment: string): unknown {
  return error instanceof EncodeError ? error.nestUnder(segment) : error;
}

/** A field as a path segment: `.name`, or `["odd name"]`. */
export function fieldSegment(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** The kind of a value, and the value itself where it is short: for messages. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length > 40
        ? `a string of ${value.length} characters`
        : `the string ${JSON.stringify(value)}`;
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${value}n`;
    case "boolean":
    case "undefined":
      return String(value);
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    default:
      return value === null ? "null" : describeObject(value as object);
  }
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return "an array";
  const prototype: { constructor?: { name?: unknown } } | null = Object.getPrototypeOf(value);
  const name = prototype?.constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object"
    ? `an instance of ${name}`
    : "an object";
}
