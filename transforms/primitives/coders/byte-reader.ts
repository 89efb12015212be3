/** A position in bytes that encodings are read from; foreign coders may use it as protobufjs' Reader. */
import { DecodeError } from "./coder-error.js";
import type { Coder } from "./sdk.js";

const TWO_TO_32 = 0x1_0000_0000;
const SHORT_STRING = 32;

/** The rest of an iterable that is kept in a runner's state: what its token leads to. */
export type StateResolver = (token: Uint8Array, elementCoder: Coder<unknown>) => Iterable<unknown>;

export class ByteReader {
  readonly buf: Buffer;
  #view: DataView;
  pos: number;
  /** Where reading ends: before the end of `buf` while a length-prefixed part is read. */
  len: number;

  /** `resolveState` is needed only for iterables whose rest is in a runner's state. */
  constructor(
    bytes: Uint8Array,
    readonly resolveState?: StateResolver,
  ) {
    this.buf = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pos = 0;
    this.len = bytes.length;
  }

  /** Moves over `bytes` bytes and tells where they begin. @throws DecodeError if there are fewer */
  take(bytes: number): number {
    const start = this.pos;
    if (bytes > this.len - start) {
      throw new DecodeError(
        `the encoding is cut off: ${bytes} bytes are needed at byte ${start}, ${this.len - start} are there`,
      );
    }
    this.pos = start + bytes;
    return start;
  }

  byte(): number {
    return this.buf[this.take(1)]!;
  }

  /** A copy of the next bytes. */
  raw(bytes: number): Uint8Array {
    const start = this.take(bytes);
    const copy = new Uint8Array(bytes);
    copy.set(this.buf.subarray(start, this.pos));
    return copy;
  }

  /** A signed 64-bit varint: a number where that is exact, else a bigint. */
  varint(): number | bigint {
    const first = this.byte();
    if (first < 128) return first;
    let low = first & 127;
    let high = 0;
    for (let shift = 7; ; shift += 7) {
      const byte = this.byte();
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 128) break;
      if (shift === 63) throw new DecodeError(`a varint is longer than 64 bits at byte ${this.pos}`);
    }
    const value = (high | 0) * TWO_TO_32 + (low >>> 0);
    return Number.isSafeInteger(value) ? value : (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
  }

  /** A varint that is a length, not beyond what is there. */
  length(): number {
    const at = this.pos;
    const length = this.varint();
    if (typeof length === "bigint" || length < 0 || length > this.len - this.pos) {
      throw new DecodeError(
        `the encoding is cut off: length ${length} at byte ${at}, ${this.len - this.pos} bytes are left`,
      );
    }
    return length;
  }

  int16BigEndian(): number {
    return this.#view.getInt16(this.take(2));
  }

  int32BigEndian(): number {
    return this.#view.getInt32(this.take(4));
  }

  int32LittleEndian(): number {
    return this.#view.getInt32(this.take(4), true);
  }

  int64LittleEndian(): bigint {
    return this.#view.getBigInt64(this.take(8), true);
  }

  uint32BigEndian(): number {
    return this.#view.getUint32(this.take(4));
  }

  float32BigEndian(): number {
    return this.#view.getFloat32(this.take(4));
  }

  doubleBigEndian(): number {
    return this.#view.getFloat64(this.take(8));
  }

  doubleLittleEndian(): number {
    return this.#view.getFloat64(this.take(8), true);
  }

  /** UTF-8 text. @throws DecodeError if it is none, instead of replacing what is wrong */
  utf8(bytes: number): string {
    const start = this.take(bytes);
    const { buf } = this;
    if (bytes <= SHORT_STRING) {
      let i = start;
      while (i < this.pos && buf[i]! < 128) i++;
      if (i === this.pos) return buf.toString("latin1", start, this.pos);
    }
    const text = buf.toString("utf8", start, this.pos);
    if (text.includes("\ufffd")) assertUtf8(buf.subarray(start, this.pos), start);
    return text;
  }

  /** Reads the next `bytes` bytes as if nothing came after them, and insists that all of them are used. */
  part<T>(bytes: number, read: () => T): T {
    const end = this.len;
    const partEnd = this.pos + bytes;
    this.len = partEnd;
    const value = read();
    if (this.pos !== partEnd) {
      throw new DecodeError(`${partEnd - this.pos} bytes are left over at byte ${this.pos}`);
    }
    this.len = end;
    return value;
  }

  // From here on: what protobufjs' Reader has, for coders written against it.

  uint32(): number {
    return this.int32() >>> 0;
  }

  int32(): number {
    const value = this.varint();
    return typeof value === "number" ? value | 0 : Number(BigInt.asIntN(32, value));
  }

  sint32(): number {
    const value = this.uint32();
    return (value >>> 1) ^ -(value & 1);
  }

  /** A number where that is exact, else an object that `long` takes for a Long. */
  int64(): number | { low: number; high: number; unsigned: boolean } {
    const value = this.varint();
    if (typeof value === "number") return value;
    return {
      low: Number(BigInt.asIntN(32, value)),
      high: Number(BigInt.asIntN(32, value >> 32n)),
      unsigned: false,
    };
  }

  bool(): boolean {
    return this.varint() !== 0;
  }

  fixed32(): number {
    return this.int32LittleEndian() >>> 0;
  }

  sfixed32(): number {
    return this.int32LittleEndian();
  }

  float(): number {
    return this.#view.getFloat32(this.take(4), true);
  }

  double(): number {
    return this.doubleLittleEndian();
  }

  bytes(): Uint8Array {
    return this.raw(this.length());
  }

  string(): string {
    return this.utf8(this.length());
  }

  /** Moves over `bytes` bytes, or without a number over a varint. */
  skip(bytes?: number): this {
    if (bytes === undefined) this.varint();
    else this.take(bytes);
    return this;
  }
}

function assertUtf8(bytes: Uint8Array, start: number): void {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DecodeError(`the ${bytes.length} bytes at byte ${start} are not UTF-8`, { cause: error });
  }
}
