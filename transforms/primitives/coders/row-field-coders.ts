/** Coders of the types that only fields of rows have: small integers, single precision, maps. */
import { BeamCoder } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, within } from "./coder-error.js";
import type { runnerApi } from "./sdk.js";

/** A coder without a URN: it exists only within a row's. */
export abstract class FieldCoder<T> extends BeamCoder<T> {
  override toProto(): runnerApi.Coder {
    throw new Error(`${this.constructor.name} has no proto: it is part of a row's coder`);
  }
}

/** One signed byte. */
export class ByteCoder extends FieldCoder<number> {
  override write(value: number, out: ByteWriter): void {
    assertInteger(value, 8);
    out.byte(value & 0xff);
  }

  override read(input: ByteReader): number {
    return (input.byte() << 24) >> 24;
  }
}

/** Two bytes, big-endian. */
export class Int16Coder extends FieldCoder<number> {
  override write(value: number, out: ByteWriter): void {
    assertInteger(value, 16);
    out.int16BigEndian(value);
  }

  override read(input: ByteReader): number {
    return input.int16BigEndian();
  }
}

/**
 * A varint of 32 bits: a negative one takes five bytes, as in Java, which refuses longer ones. SDKs that
 * write it in ten are understood.
 */
export class Int32Coder extends FieldCoder<number> {
  override write(value: number, out: ByteWriter): void {
    assertInteger(value, 32);
    out.varint(value >>> 0);
  }

  override read(input: ByteReader): number {
    const value = input.varint();
    if (value < -(2 ** 31) || value >= 2 ** 32) throw new DecodeError(`${value} does not fit 32 bits`);
    return Number(value) | 0;
  }
}

/** Four bytes, big-endian: a number that single precision holds exactly. */
export class FloatCoder extends FieldCoder<number> {
  override write(value: number, out: ByteWriter): void {
    if (typeof value !== "number") throw new EncodeError(`must be a number, got ${describe(value)}`);
    if (!Object.is(Math.fround(value), value)) {
      throw new EncodeError(`${value} is not a number of single precision; Math.fround() makes it one`);
    }
    if (Number.isNaN(value)) out.int32BigEndian(0x7fc00000);
    else out.float32BigEndian(value);
  }

  override read(input: ByteReader): number {
    return input.float32BigEndian();
  }
}

/** A Map, or an object taken for a map of its fields; read as a Map. */
export class MapCoder extends FieldCoder<ReadonlyMap<unknown, unknown> | Record<string, unknown>> {
  constructor(
    readonly keyCoder: BeamCoder<unknown>,
    readonly valueCoder: BeamCoder<unknown>,
  ) {
    super();
  }

  override write(value: ReadonlyMap<unknown, unknown> | Record<string, unknown>, out: ByteWriter): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new EncodeError(`must be a Map or an object, got ${describe(value)}`);
    }
    const entries: readonly (readonly [unknown, unknown])[] =
      value instanceof Map ? [...value] : Object.entries(value);
    out.int32BigEndian(entries.length);
    for (const [key, entry] of entries) {
      try {
        this.keyCoder.write(key, out, true);
        this.valueCoder.write(entry, out, true);
      } catch (error) {
        throw within(error, `[${typeof key === "string" ? JSON.stringify(key) : describe(key)}]`);
      }
    }
  }

  override read(input: ByteReader): ReadonlyMap<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    for (let left = input.int32BigEndian(); left > 0; left--) {
      const key = this.keyCoder.read(input, true);
      map.set(key, this.valueCoder.read(input, true));
    }
    return map;
  }
}

function assertInteger(value: number, bits: number): void {
  const limit = 2 ** (bits - 1);
  if (!Number.isInteger(value) || value < -limit || value >= limit || Object.is(value, -0)) {
    throw new EncodeError(`must be an integer of ${bits} bits, got ${describe(value)}`);
  }
}
