/** Coders of single values: integers, doubles, booleans, text and bytes. */
import { BeamCoder, coderProto } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError } from "./coder-error.js";
import { isInt64 } from "./growing-buffer.js";
import type { runnerApi } from "./sdk.js";

/** Signed 64-bit integers: a number, or a bigint where a number is not exact; read back the same way. */
export class VarIntCoder extends BeamCoder<number | bigint> {
  static readonly URN = "beam:coder:varint:v1";

  override write(value: number | bigint, out: ByteWriter): void {
    if (Number.isSafeInteger(value)) {
      if (Object.is(value, -0)) throw new EncodeError("-0 is no integer that a varint can carry");
      out.varint(value as number);
    } else if (typeof value === "bigint") {
      if (!isInt64(value)) throw new EncodeError(`${value}n does not fit a signed 64-bit integer`);
      out.varintOfBigint(value);
    } else throw new EncodeError(notAnInteger(value));
  }

  override read(input: ByteReader): number | bigint {
    return input.varint();
  }

  override toProto(): runnerApi.Coder {
    return coderProto(VarIntCoder.URN);
  }
}

function notAnInteger(value: unknown): string {
  if (!Number.isInteger(value)) return `must be an integer, got ${describe(value)}`;
  return `${value} is beyond the safe integers of a number; give it as a bigint`;
}

export class DoubleCoder extends BeamCoder<number> {
  static readonly URN = "beam:coder:double:v1";

  override write(value: number, out: ByteWriter): void {
    if (typeof value !== "number") throw new EncodeError(`must be a number, got ${describe(value)}`);
    out.doubleBigEndian(value);
  }

  override read(input: ByteReader): number {
    return input.doubleBigEndian();
  }

  override toProto(): runnerApi.Coder {
    return coderProto(DoubleCoder.URN);
  }
}

export class BoolCoder extends BeamCoder<boolean> {
  static readonly URN = "beam:coder:bool:v1";

  override write(value: boolean, out: ByteWriter): void {
    if (typeof value !== "boolean") throw new EncodeError(`must be true or false, got ${describe(value)}`);
    out.byte(value ? 1 : 0);
  }

  override read(input: ByteReader): boolean {
    const byte = input.byte();
    if (byte > 1) throw new DecodeError(`a boolean is 0 or 1, got ${byte} at byte ${input.pos - 1}`);
    return byte === 1;
  }

  override toProto(): runnerApi.Coder {
    return coderProto(BoolCoder.URN);
  }
}

/** Text as UTF-8. */
export class StringUtf8Coder extends BeamCoder<string> {
  static readonly URN = "beam:coder:string_utf8:v1";

  override write(value: string, out: ByteWriter, nested: boolean): void {
    if (typeof value !== "string") throw new EncodeError(`must be a string, got ${describe(value)}`);
    if (nested) out.lengthAndUtf8(value);
    else out.utf8(value);
  }

  override read(input: ByteReader, nested: boolean): string {
    return input.utf8(nested ? input.length() : input.len - input.pos);
  }

  override toProto(): runnerApi.Coder {
    return coderProto(StringUtf8Coder.URN);
  }
}

/** Bytes, a Uint8Array; a Buffer is taken too and read back as a Uint8Array of the same bytes. */
export class BytesCoder extends BeamCoder<Uint8Array> {
  static readonly URN = "beam:coder:bytes:v1";

  override write(value: Uint8Array, out: ByteWriter, nested: boolean): void {
    if (!(value instanceof Uint8Array)) throw new EncodeError(`must be a Uint8Array, got ${describe(value)}`);
    if (nested) out.varint(value.length);
    out.raw(value);
  }

  override read(input: ByteReader, nested: boolean): Uint8Array {
    return input.raw(nested ? input.length() : input.len - input.pos);
  }

  override toProto(): runnerApi.Coder {
    return coderProto(BytesCoder.URN);
  }
}
