/**
 * JavaScript objects as BSON documents, exactly: what the SDK's coder wrote is read, and what BSON has no
 * type for is carried as binary data of a subtype of ours.
 */
import { BeamCoder, coderProto } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, fieldSegment, within } from "./coder-error.js";
import { isInt64 } from "./growing-buffer.js";
import { nameOf } from "./name-cache.js";
import { assertPlainArray, sortedFields } from "./plain-object.js";
import type { runnerApi } from "./sdk.js";

// BSON's type bytes, https://bsonspec.org/spec.html
const DOUBLE = 0x01;
const STRING = 0x02;
const DOCUMENT = 0x03;
const ARRAY = 0x04;
const BINARY = 0x05;
const UNDEFINED = 0x06;
const BOOLEAN = 0x08;
const DATE = 0x09;
const NULL = 0x0a;
const REGULAR_EXPRESSION = 0x0b;
const INT32 = 0x10;
const INT64 = 0x12;

const GENERIC_SUBTYPE = 0x00;
/** The first of BSON's user-defined subtypes: the bytes are an encoding of the general object coder. */
const GENERAL_SUBTYPE = 0x80;

/** Encodes what has no BSON type of its own, and decodes it again. */
interface Extension {
  write(value: unknown, out: ByteWriter): void;
  read(input: ByteReader): unknown;
}

/** Documents of objects and arrays; everything else goes through the extension. */
export class Bson {
  constructor(readonly extension: Extension) {}

  /** The document of a plain object, its fields sorted by name. */
  writeObject(value: object, out: ByteWriter): void {
    const names = sortedFields(value);
    const start = this.#begin(value, out);
    let i = 0;
    try {
      for (; i < names.length; i++) {
        const name = names[i]!;
        this.#writeElement(name, (value as Record<string, unknown>)[name], out);
      }
    } catch (error) {
      throw within(error, fieldSegment(names[i]!));
    }
    this.#end(start, out);
  }

  #writeArray(value: readonly unknown[], out: ByteWriter): void {
    assertPlainArray(value);
    const start = this.#begin(value, out);
    let i = 0;
    try {
      for (; i < value.length; i++) this.#writeElement(String(i), value[i], out);
    } catch (error) {
      throw within(error, `[${i}]`);
    }
    this.#end(start, out);
  }

  #begin(value: object, out: ByteWriter): number {
    enter(value, out);
    const start = out.len;
    out.int32LittleEndian(0);
    return start;
  }

  #end(start: number, out: ByteWriter): void {
    out.byte(0);
    out.patchInt32LittleEndian(start, out.len - start);
    out.enclosing.pop();
  }

  #writeElement(name: string, value: unknown, out: ByteWriter): void {
    switch (typeof value) {
      case "string":
        header(STRING, name, out);
        writeString(value, out);
        return;
      case "number":
        writeNumber(name, value, out);
        return;
      case "boolean":
        header(BOOLEAN, name, out);
        out.byte(value ? 1 : 0);
        return;
      case "undefined":
        header(UNDEFINED, name, out);
        return;
      case "bigint":
        if (!isInt64(value)) {
          this.#writeExtension(name, value, out);
          return;
        }
        header(INT64, name, out);
        out.int64LittleEndian(value);
        return;
      case "object":
        this.#writeObjectElement(name, value, out);
        return;
      default:
        throw new EncodeError(`${describe(value)} cannot be encoded`);
    }
  }

  #writeObjectElement(name: string, value: object | null, out: ByteWriter): void {
    if (value === null) {
      header(NULL, name, out);
      return;
    }
    if (Array.isArray(value)) {
      header(ARRAY, name, out);
      this.#writeArray(value, out);
      return;
    }
    if (value instanceof Uint8Array && value.constructor === Uint8Array) {
      header(BINARY, name, out);
      writeBinary(value, GENERIC_SUBTYPE, out);
      return;
    }
    if (value instanceof Date && value.constructor === Date && !Number.isNaN(value.getTime())) {
      header(DATE, name, out);
      out.int64LittleEndian(BigInt(value.getTime()));
      return;
    }
    if (hasExtension(value)) {
      this.#writeExtension(name, value, out);
      return;
    }
    header(DOCUMENT, name, out);
    this.writeObject(value, out);
  }

  #writeExtension(name: string, value: unknown, out: ByteWriter): void {
    header(BINARY, name, out);
    const start = out.len;
    out.int32LittleEndian(0);
    out.byte(GENERAL_SUBTYPE);
    this.extension.write(value, out);
    out.patchInt32LittleEndian(start, out.len - start - 5);
  }

  readObject(input: ByteReader): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const start = input.pos;
    const length = input.int32LittleEndian();
    for (let type = input.byte(); type !== 0; type = input.byte()) {
      const name = readName(input);
      const value = this.#readElement(type, name, input);
      if (name === "__proto__") {
        Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
      } else object[name] = value;
    }
    checkEnd(input, start, length);
    return object;
  }

  #readArray(input: ByteReader): unknown[] {
    const array: unknown[] = [];
    const start = input.pos;
    const length = input.int32LittleEndian();
    for (let type = input.byte(); type !== 0; type = input.byte()) {
      array.push(this.#readElement(type, readName(input), input));
    }
    checkEnd(input, start, length);
    return array;
  }

  #readElement(type: number, name: string, input: ByteReader): unknown {
    switch (type) {
      case DOUBLE:
        return input.doubleLittleEndian();
      case STRING:
        return readString(input);
      case DOCUMENT:
        return this.readObject(input);
      case ARRAY:
        return this.#readArray(input);
      case BINARY:
        return this.#readBinary(input);
      case UNDEFINED:
        return undefined;
      case BOOLEAN:
        return input.byte() !== 0;
      case DATE:
        return new Date(Number(input.int64LittleEndian()));
      case NULL:
        return null;
      case REGULAR_EXPRESSION:
        return new RegExp(readName(input), readName(input));
      case INT32:
        return input.int32LittleEndian();
      case INT64:
        return input.int64LittleEndian();
      default:
        throw new DecodeError(
          `the field ${JSON.stringify(name)} has the BSON type ${type}, which is no JavaScript value`,
        );
    }
  }

  #readBinary(input: ByteReader): unknown {
    const length = input.int32LittleEndian();
    const subtype = input.byte();
    if (subtype !== GENERAL_SUBTYPE) return input.raw(length);
    return input.part(length, () => this.extension.read(input));
  }
}

/** Remembers that the object is being written. @throws EncodeError if it already is: a cycle */
export function enter(value: object, out: ByteWriter): void {
  const { enclosing } = out;
  if (enclosing.includes(value)) throw new EncodeError("a cycle cannot be encoded");
  if (enclosing.length === NESTING_MAX) {
    throw new EncodeError(`objects nested more than ${NESTING_MAX} deep cannot be encoded`);
  }
  enclosing.push(value);
}

/** More levels than this would overflow the stack. */
const NESTING_MAX = 1000;

/** Whether the general coder has a letter of its own for objects of this class. */
export function hasExtension(value: object): boolean {
  return value instanceof Uint8Array || value instanceof Date || value instanceof Map || value instanceof Set;
}

function header(type: number, name: string, out: ByteWriter): void {
  out.byte(type);
  if (name.includes("\0")) throw new EncodeError("the name of a field cannot be encoded: it holds a NUL");
  out.utf8(name);
  out.byte(0);
}

function writeString(text: string, out: ByteWriter): void {
  const start = out.len;
  out.int32LittleEndian(0);
  out.utf8(text);
  out.byte(0);
  out.patchInt32LittleEndian(start, out.len - start - 4);
}

function writeNumber(name: string, value: number, out: ByteWriter): void {
  if ((value | 0) === value && !Object.is(value, -0)) {
    header(INT32, name, out);
    out.int32LittleEndian(value);
  } else {
    header(DOUBLE, name, out);
    out.doubleLittleEndian(value);
  }
}

function writeBinary(bytes: Uint8Array, subtype: number, out: ByteWriter): void {
  out.int32LittleEndian(bytes.length);
  out.byte(subtype);
  out.raw(bytes);
}

function readString(input: ByteReader): string {
  const length = input.int32LittleEndian();
  const text = input.utf8(Math.max(length - 1, 0));
  input.take(1);
  return text;
}

function readName(input: ByteReader): string {
  const { buf, pos, len } = input;
  let end = pos;
  while (end < len && buf[end] !== 0) end++;
  if (end === len) throw new DecodeError(`a BSON name at byte ${pos} has no end`);
  const name = nameOf(buf, pos, end) ?? input.utf8(end - pos);
  input.pos = end + 1;
  return name;
}

/** @throws DecodeError when a document, begun at `start`, is not as long as it says */
function checkEnd(input: ByteReader, start: number, length: number): void {
  if (input.pos - start === length) return;
  throw new DecodeError(`a BSON document says it has ${length} bytes, and has ${input.pos - start}`);
}

/** The coder of the SDK that knows objects only. */
export class BsonObjectCoder extends BeamCoder<object> {
  static readonly URN = "beam:coder:bsonjs:v1";

  constructor(readonly bson: Bson) {
    super();
  }

  override write(value: object, out: ByteWriter): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new EncodeError(`must be an object, got ${describe(value)}`);
    }
    out.fork();
    this.bson.writeObject(value, out);
    out.ldelim();
  }

  override read(input: ByteReader): object {
    return input.part(input.length(), () => this.bson.readObject(input));
  }

  override toProto(): runnerApi.Coder {
    return coderProto(BsonObjectCoder.URN);
  }
}
