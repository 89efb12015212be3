/**
 * The coder of records' fields and of the values made of them: objects of one shape, over and over, mostly of strings.
 *
 * A value is a byte and what that says:
 *
 * | byte | value | then |
 * | --- | --- | --- |
 * | 0 | anything | as the general coder |
 * | 1 | a plain object of strings | its shape; the length of each string in UTF-16 units; all of them together, as string_utf8 |
 * | 2 | a plain object of anything | its shape; each value as the general coder |
 *
 * The shape is the fields' names, in their order, behind the length of them all. Both sides remember the last one, so
 * that names are not encoded and decoded again for each record.
 */
import { BeamCoder, coderProto } from "./primitives/coders/beam-coder.js";
import type { ByteReader } from "./primitives/coders/byte-reader.js";
import { ByteWriter } from "./primitives/coders/byte-writer.js";
import { DecodeError, fieldSegment, within } from "./primitives/coders/coder-error.js";
import { GeneralObjectCoder } from "./primitives/coders/general-object-coder.js";
import { registerCoder } from "./primitives/coders/register-coder.js";
import type { runnerApi } from "./primitives/coders/sdk.js";

const ANYTHING = 0;
const STRINGS = 1;
const OBJECT = 2;

type Fields = Record<string, unknown>;

/** Names of an object's fields, and how they are encoded. */
interface Shape {
  readonly names: readonly string[];
  readonly bytes: Uint8Array;
  /** Whether fields can be set as usual: `__proto__` cannot. */
  readonly isPlain: boolean;
}

const NO_SHAPE: Shape = { names: [], bytes: Uint8Array.of(0), isPlain: true };
const general = new GeneralObjectCoder();

/** Carries what the general coder carries, and fields in their order. */
export class FieldsCoder<T = unknown> extends BeamCoder<T> {
  static readonly URN = "millrace:coder:fields:v1";
  #written = NO_SHAPE;
  #read = NO_SHAPE;

  override write(value: T, out: ByteWriter, nested: boolean): void {
    if (!isPlainObject(value)) {
      out.byte(ANYTHING);
      general.write(value, out, nested);
    } else if (!this.#writeStrings(value, out)) this.#writeObject(value, out);
  }

  override read(input: ByteReader, nested: boolean): T {
    const kind = input.byte();
    switch (kind) {
      case STRINGS:
        return this.#readStrings(input) as T;
      case OBJECT: {
        const shape = this.#readShape(input);
        return objectOf(shape, () => general.read(input, true)) as T;
      }
      case ANYTHING:
        return general.read(input, nested) as T;
      default:
        throw new DecodeError(`the value's kind is 0, 1 or 2, got ${kind} at byte ${input.pos - 1}`);
    }
  }

  override toProto(): runnerApi.Coder {
    return coderProto(FieldsCoder.URN);
  }

  /** Tells false, and writes nothing, if not all fields are strings. */
  #writeStrings(value: Fields, out: ByteWriter): boolean {
    let text = "";
    for (const name in value) {
      const field = value[name];
      if (typeof field !== "string") return false;
      text += field;
    }
    out.byte(STRINGS);
    this.#writeShape(value, out);
    for (const name in value) out.varint((value[name] as string).length);
    out.lengthAndUtf8(text);
    return true;
  }

  #readStrings(input: ByteReader): Fields {
    const shape = this.#readShape(input);
    const lengths = shape.names.map(() => input.length());
    const text = input.utf8(input.length());
    let end = 0;
    let at = 0;
    const value = objectOf(shape, () => {
      const start = end;
      end += lengths[at++]!;
      return text.slice(start, end);
    });
    if (end !== text.length) {
      throw new DecodeError(
        `${text.length} characters at byte ${input.pos} are not the ${end} of the fields`,
      );
    }
    return value;
  }

  #writeObject(value: Fields, out: ByteWriter): void {
    out.byte(OBJECT);
    this.#writeShape(value, out);
    for (const name in value) {
      try {
        general.write(value[name], out, true);
      } catch (error) {
        throw within(error, fieldSegment(name));
      }
    }
  }

  #writeShape(value: Fields, out: ByteWriter): void {
    if (!hasNames(value, this.#written.names)) this.#written = shapeOf(Object.keys(value));
    out.varint(this.#written.bytes.length);
    out.raw(this.#written.bytes);
  }

  #readShape(input: ByteReader): Shape {
    const length = input.length();
    if (!isAt(this.#read.bytes, input, length)) {
      const names = input.part(length, () => Array.from({ length: input.length() }, () => input.string()));
      this.#read = shapeOf(names);
    } else input.take(length);
    return this.#read;
  }
}

/** Whether these bytes are the next `length` bytes. */
export function isAt(bytes: Uint8Array, input: ByteReader, length: number): boolean {
  if (bytes.length !== length) return false;
  const { buf, pos } = input;
  for (let i = 0; i < length; i++) {
    if (buf[pos + i] !== bytes[i]) return false;
  }
  return true;
}

/** One whose fields are all there is to it; what is none, the general coder takes or refuses. */
function isPlainObject(value: unknown): value is Fields {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.getOwnPropertySymbols(value).length === 0
  );
}

function hasNames(value: Fields, names: readonly string[]): boolean {
  let at = 0;
  for (const name in value) {
    if (names[at++] !== name) return false;
  }
  return at === names.length;
}

function shapeOf(names: readonly string[]): Shape {
  const out = new ByteWriter();
  out.varint(names.length);
  for (const name of names) out.lengthAndUtf8(name);
  return { names, bytes: out.finish(), isPlain: !names.includes("__proto__") };
}

function objectOf({ names, isPlain }: Shape, next: () => unknown): Fields {
  if (!isPlain) return Object.fromEntries(names.map((name) => [name, next()]));
  const value: Fields = {};
  for (let i = 0; i < names.length; i++) value[names[i]!] = next();
  return value;
}

registerCoder(FieldsCoder.URN, { components: 0, make: () => new FieldsCoder() }, FieldsCoder);
