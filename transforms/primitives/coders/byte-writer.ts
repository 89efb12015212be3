/** What encodings are written to; coders of others may use it as protobufjs' Writer. */
import { GrowingBuffer } from "./growing-buffer.js";

/** 64 bits as protobufjs and the SDK pass them around. */
interface LongLike {
  readonly low: number;
  readonly high: number;
}

type Int64 = number | bigint | string | LongLike;

/** Beside our own methods, those of protobufjs' Writer, for coders written against it. */
export class ByteWriter extends GrowingBuffer {
  uint32(value: number): this {
    this.varint(value >>> 0);
    return this;
  }

  int32(value: number): this {
    this.varint(value | 0);
    return this;
  }

  sint32(value: number): this {
    return this.uint32((value << 1) ^ (value >> 31));
  }

  int64(value: Int64): this {
    this.varintOfBigint(toBigint(value));
    return this;
  }

  uint64(value: Int64): this {
    return this.int64(value);
  }

  sint64(value: Int64): this {
    const bits = BigInt.asIntN(64, toBigint(value));
    return this.int64((bits << 1n) ^ (bits >> 63n));
  }

  bool(value: boolean): this {
    this.byte(value ? 1 : 0);
    return this;
  }

  fixed32(value: number): this {
    this.int32LittleEndian(value);
    return this;
  }

  sfixed32(value: number): this {
    return this.fixed32(value);
  }

  fixed64(value: Int64): this {
    this.int64LittleEndian(BigInt.asIntN(64, toBigint(value)));
    return this;
  }

  sfixed64(value: Int64): this {
    return this.fixed64(value);
  }

  float(value: number): this {
    return this._push((float, buffer, pos) => viewOf(buffer).setFloat32(pos, float, true), 4, value);
  }

  double(value: number): this {
    this.doubleLittleEndian(value);
    return this;
  }

  /** The bytes behind their length. */
  bytes(value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? Buffer.from(value, "base64") : value;
    this.varint(bytes.length);
    this.raw(bytes);
    return this;
  }

  string(value: string): this {
    this.lengthAndUtf8(value);
    return this;
  }
}

function toBigint(value: Int64): bigint {
  if (typeof value !== "object") return BigInt(value);
  return (BigInt(value.high) << 32n) | BigInt(value.low >>> 0);
}

function viewOf(buffer: Uint8Array): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
