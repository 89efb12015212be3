/**
 * The coder of any JavaScript value, `beam:coder:genericobjectjs:v1`: what a PCollection has that nobody
 * gave another one.
 *
 * A value is a letter (behind its length, 1, as the SDK writes it) and what the letter says. The SDK's
 * letters, in its form, so that each reads what the other wrote:
 *
 * | letter | value | then |
 * | --- | --- | --- |
 * | `Z` | null | |
 * | `S` | string | as string_utf8 |
 * | `B` | boolean | as bool |
 * | `N` | number | `i` and a varint for a safe integer but -0; `f` and a double for any other |
 * | `A` | array | as iterable |
 * | `O` | object | its BSON document behind its length, fields sorted by name (see `Bson`) |
 *
 * And ours, for what the SDK changes or refuses:
 *
 * | letter | value | then |
 * | --- | --- | --- |
 * | `u` | undefined | |
 * | `n` | bigint | length, two's complement, big-endian, as short as possible |
 * | `b` | Uint8Array | length, bytes |
 * | `f` | Buffer | length, bytes |
 * | `d` | Date | ms since 1970 as a double, NaN for an invalid one |
 * | `m` | Map | number of entries, then keys and values, in the map's order |
 * | `s` | Set | number of elements, then these, in the set's order |
 *
 * Equal values have equal encodings. The order of an object's fields does not count, that of a Map or Set
 * does. An object of a class without methods is carried as its fields.
 */
import { BeamCoder, coderProto } from "./beam-coder.js";
import { Bson, BsonObjectCoder, enter, hasExtension } from "./bson.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, within } from "./coder-error.js";
import { assertPlainArray } from "./plain-object.js";
import type { runnerApi } from "./sdk.js";
import { fromTwosComplement, twosComplement } from "./twos-complement.js";

const letter = (text: string) => text.charCodeAt(0);
const NULL = letter("Z");
const STRING = letter("S");
const BOOLEAN = letter("B");
const NUMBER = letter("N");
const INTEGER = letter("i");
const FLOAT = letter("f");
const ARRAY = letter("A");
const OBJECT = letter("O");
const UNDEFINED = letter("u");
const BIGINT = letter("n");
const BYTES = letter("b");
const BUFFER = letter("f");
const DATE = letter("d");
const MAP = letter("m");
const SET = letter("s");

const UNKNOWN_LENGTH = -1;

export class GeneralObjectCoder<T = unknown> extends BeamCoder<T> {
  static readonly URN = "beam:coder:genericobjectjs:v1";

  override write(value: T, out: ByteWriter, nested: boolean): void {
    writeValue(value, out, nested);
  }

  override read(input: ByteReader, nested: boolean): T {
    return readValue(input, nested) as T;
  }

  override toProto(): runnerApi.Coder {
    return coderProto(GeneralObjectCoder.URN);
  }
}

const bson = new Bson({
  write: (value, out) => writeValue(value, out, true),
  read: (input) => readValue(input, true),
});

/** The SDK's coder of objects alone. */
export const bsonObjectCoder = new BsonObjectCoder(bson);

function writeValue(value: unknown, out: ByteWriter, nested: boolean): void {
  switch (typeof value) {
    case "string":
      writeLetter(STRING, out);
      if (nested) out.lengthAndUtf8(value);
      else out.utf8(value);
      return;
    case "number":
      writeNumber(value, out);
      return;
    case "boolean":
      writeLetter(BOOLEAN, out);
      out.byte(value ? 1 : 0);
      return;
    case "undefined":
      writeLetter(UNDEFINED, out);
      return;
    case "bigint":
      writeLetter(BIGINT, out);
      out.bytes(twosComplement(value));
      return;
    case "object":
      writeObject(value, out);
      return;
    default:
      throw new EncodeError(`${describe(value)} cannot be encoded`);
  }
}

function writeLetter(code: number, out: ByteWriter): void {
  out.byte(1);
  out.byte(code);
}

function writeNumber(value: number, out: ByteWriter): void {
  writeLetter(NUMBER, out);
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    writeLetter(INTEGER, out);
    out.varint(value);
  } else {
    writeLetter(FLOAT, out);
    out.doubleBigEndian(value);
  }
}

function writeObject(value: object | null, out: ByteWriter): void {
  if (value === null) {
    writeLetter(NULL, out);
    return;
  }
  if (Array.isArray(value)) {
    writeArray(value, out);
    return;
  }
  if (hasExtension(value)) {
    writeExtension(value, out);
    return;
  }
  writeLetter(OBJECT, out);
  bsonObjectCoder.write(value, out);
}

function writeArray(array: readonly unknown[], out: ByteWriter): void {
  assertPlainArray(array);
  enter(array, out);
  writeLetter(ARRAY, out);
  out.int32BigEndian(array.length);
  let i = 0;
  try {
    for (; i < array.length; i++) writeValue(array[i], out, true);
  } catch (error) {
    throw within(error, `[${i}]`);
  }
  out.enclosing.pop();
}

function writeExtension(value: object, out: ByteWriter): void {
  const made = value.constructor;
  if (Object.keys(value).length > 0 && !(value instanceof Uint8Array)) {
    throw new EncodeError(`${describe(value)} with fields of its own cannot be encoded`);
  }
  if (made === Uint8Array || made === Buffer) {
    writeLetter(made === Buffer ? BUFFER : BYTES, out);
    out.bytes(value as Uint8Array);
  } else if (made === Date) {
    writeLetter(DATE, out);
    out.doubleBigEndian((value as Date).getTime());
  } else if (made === Map) writeMap(value as Map<unknown, unknown>, out);
  else if (made === Set) writeSet(value as Set<unknown>, out);
  else throw new EncodeError(`${describe(value)} cannot be encoded: it has methods`);
}

function writeMap(map: ReadonlyMap<unknown, unknown>, out: ByteWriter): void {
  enter(map, out);
  writeLetter(MAP, out);
  out.varint(map.size);
  let i = 0;
  for (const [key, value] of map) {
    let segment = `.keys()[${i}]`;
    try {
      writeValue(key, out, true);
      segment = `.get(${typeof key === "string" ? JSON.stringify(key) : describe(key)})`;
      writeValue(value, out, true);
    } catch (error) {
      throw within(error, segment);
    }
    i++;
  }
  out.enclosing.pop();
}

function writeSet(set: ReadonlySet<unknown>, out: ByteWriter): void {
  enter(set, out);
  writeLetter(SET, out);
  out.varint(set.size);
  let i = 0;
  try {
    for (const element of set) {
      writeValue(element, out, true);
      i++;
    }
  } catch (error) {
    throw within(error, `.values()[${i}]`);
  }
  out.enclosing.pop();
}

function readValue(input: ByteReader, nested: boolean): unknown {
  const code = readLetter(input);
  switch (code) {
    case STRING:
      return input.utf8(nested ? input.length() : input.len - input.pos);
    case NUMBER:
      return readNumber(input);
    case OBJECT:
      return bsonObjectCoder.read(input);
    case ARRAY:
      return readArray(input);
    case NULL:
      return null;
    case BOOLEAN:
      return input.byte() !== 0;
    case UNDEFINED:
      return undefined;
    default:
      return readExtension(code, input);
  }
}

function readLetter(input: ByteReader): number {
  const start = input.take(2);
  if (input.buf[start] !== 1) throw new DecodeError(`no letter of a type at byte ${start}`);
  return input.buf[start + 1]!;
}

function readNumber(input: ByteReader): number | bigint {
  const code = readLetter(input);
  if (code === INTEGER) return input.varint();
  if (code === FLOAT) return input.doubleBigEndian();
  throw new DecodeError(`${describe(String.fromCharCode(code))} is no kind of number`);
}

function readArray(input: ByteReader): unknown[] {
  const length = input.int32BigEndian();
  const array: unknown[] = [];
  const readSome = (count: number | bigint) => {
    if (count < 0) throw new DecodeError(`${count} is no number of elements of an array`);
    for (let i = 0; i < count; i++) array.push(readValue(input, true));
  };
  if (length !== UNKNOWN_LENGTH) readSome(length);
  else {
    for (let count = input.varint(); count !== 0; count = input.varint()) readSome(count);
  }
  return array;
}

function readExtension(code: number, input: ByteReader): unknown {
  switch (code) {
    case BIGINT:
      return fromTwosComplement(input.bytes());
    case BYTES:
      return input.bytes();
    case BUFFER:
      return Buffer.from(input.bytes().buffer as ArrayBuffer);
    case DATE:
      return new Date(input.doubleBigEndian());
    case MAP: {
      const map = new Map<unknown, unknown>();
      for (let left = input.varint(); left > 0; left--)
        map.set(readValue(input, true), readValue(input, true));
      return map;
    }
    case SET: {
      const set = new Set<unknown>();
      for (let left = input.varint(); left > 0; left--) set.add(readValue(input, true));
      return set;
    }
    default:
      throw new DecodeError(`${describe(String.fromCharCode(code))} is no letter of a type`);
  }
}
