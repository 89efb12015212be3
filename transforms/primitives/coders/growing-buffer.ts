/** One growing buffer that encodings are written to. */
import { EncodeError } from "./coder-error.js";

const FIRST_BYTES = 256;
const TWO_TO_32 = 0x1_0000_0000;
/** Up to this length a loop over the characters beats a call into the runtime. */
const SHORT_STRING = 48;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

export class GrowingBuffer {
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #pos = 0;
  readonly #forks: number[] = [];
  /** The objects around the one being written, outermost first: an object among them is a cycle. */
  readonly enclosing: object[] = [];

  /** Bytes written. */
  get len(): number {
    return this.#pos;
  }

  /** A copy of what was written; the writer is empty afterwards. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#pos);
    bytes.set(this.#buffer.subarray(0, this.#pos));
    this.clear();
    return bytes;
  }

  /** What was written, as it stands here: the next writing goes over it. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#pos);
  }

  /** What was written, each byte a character; the writer is empty afterwards. */
  finishAsLatin1(): string {
    const text = this.#buffer.toString("latin1", 0, this.#pos);
    this.clear();
    return text;
  }

  clear(): void {
    this.#pos = 0;
    this.#forks.length = 0;
    this.enclosing.length = 0;
  }

  byte(value: number): void {
    this.#need(1);
    this.#buffer[this.#pos++] = value;
  }

  /** The bytes as they are, without their length. */
  raw(bytes: Uint8Array): void {
    this.#need(bytes.length);
    this.#buffer.set(bytes, this.#pos);
    this.#pos += bytes.length;
  }

  /** The low 64 bits of a safe integer, as a varint: up to five bytes if it is not negative and below 2^35. */
  varint(value: number): void {
    this.#need(10);
    const buffer = this.#buffer;
    if (value >= 0 && value < TWO_TO_32) {
      let rest = value;
      while (rest > 127) {
        buffer[this.#pos++] = (rest & 127) | 128;
        rest >>>= 7;
      }
      buffer[this.#pos++] = rest;
    } else {
      this.#varint64(value >>> 0, Math.floor(value / TWO_TO_32) >>> 0);
    }
  }

  /** A signed or unsigned 64-bit integer as a varint. */
  varintOfBigint(value: bigint): void {
    this.#need(10);
    const unsigned = BigInt.asUintN(64, value);
    this.#varint64(Number(unsigned & 0xffff_ffffn), Number(unsigned >> 32n));
  }

  #varint64(low: number, high: number): void {
    const buffer = this.#buffer;
    let lo = low;
    let hi = high;
    while (hi > 0 || lo > 127) {
      buffer[this.#pos++] = (lo & 127) | 128;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    buffer[this.#pos++] = lo;
  }

  int16BigEndian(value: number): void {
    this.#need(2);
    this.#view.setInt16(this.#pos, value);
    this.#pos += 2;
  }

  int32BigEndian(value: number): void {
    this.#need(4);
    this.#view.setInt32(this.#pos, value);
    this.#pos += 4;
  }

  int32LittleEndian(value: number): void {
    this.#need(4);
    this.#view.setInt32(this.#pos, value, true);
    this.#pos += 4;
  }

  int64LittleEndian(value: bigint): void {
    this.#need(8);
    this.#view.setBigInt64(this.#pos, value, true);
    this.#pos += 8;
  }

  /** The two halves of 64 bits, the high one first. */
  uint64BigEndian(high: number, low: number): void {
    this.#need(8);
    this.#view.setUint32(this.#pos, high);
    this.#view.setUint32(this.#pos + 4, low);
    this.#pos += 8;
  }

  float32BigEndian(value: number): void {
    this.#need(4);
    this.#view.setFloat32(this.#pos, value);
    this.#pos += 4;
  }

  /** NaN always as the same bits, so that equal values have equal encodings. */
  doubleBigEndian(value: number): void {
    if (Number.isNaN(value)) {
      this.uint64BigEndian(0x7ff80000, 0);
      return;
    }
    this.#need(8);
    this.#view.setFloat64(this.#pos, value);
    this.#pos += 8;
  }

  doubleLittleEndian(value: number): void {
    this.#need(8);
    if (Number.isNaN(value)) this.#view.setBigUint64(this.#pos, 0x7ff80000_00000000n, true);
    else this.#view.setFloat64(this.#pos, value, true);
    this.#pos += 8;
  }

  /** UTF-8 without its length. @throws EncodeError on a lone surrogate, which UTF-8 cannot carry */
  utf8(text: string): void {
    if (text.length <= SHORT_STRING && this.#ascii(text)) return;
    this.#need(utf8Length(text));
    this.#pos += this.#buffer.write(text, this.#pos, "utf8");
  }

  /** UTF-8 behind its length. @throws EncodeError on a lone surrogate, which UTF-8 cannot carry */
  lengthAndUtf8(text: string): void {
    if (text.length <= SHORT_STRING) {
      const start = this.#pos;
      this.byte(text.length);
      if (this.#ascii(text)) return;
      this.#pos = start;
    }
    const length = utf8Length(text);
    this.varint(length);
    this.#need(length);
    this.#pos += this.#buffer.write(text, this.#pos, "utf8");
  }

  /** Writes a text that is ASCII; tells false, and writes nothing, if it is not. */
  #ascii(text: string): boolean {
    const { length } = text;
    this.#need(length);
    const buffer = this.#buffer;
    const start = this.#pos;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) return false;
      buffer[start + i] = code;
    }
    this.#pos = start + length;
    return true;
  }

  /** Writes a number into four bytes that were written before, little-endian. */
  patchInt32LittleEndian(at: number, value: number): void {
    this.#view.setInt32(at, value, true);
  }

  #need(bytes: number): void {
    const end = this.#pos + bytes;
    if (end <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#pos));
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** Begins a part that `ldelim` will put behind its length. */
  fork(): this {
    this.#forks.push(this.#pos);
    this.byte(0);
    return this;
  }

  /** Ends the part begun last: its length, as a varint, comes before it. */
  ldelim(): this {
    const start = this.#forks.pop();
    if (start === undefined) throw new Error("ldelim() without a fork() before it");
    const length = this.#pos - start - 1;
    if (length < 128) {
      this.#buffer[start] = length;
      return this;
    }
    const prefixBytes = Math.ceil((32 - Math.clz32(length)) / 7);
    this.#need(prefixBytes - 1);
    this.#buffer.copyWithin(start + prefixBytes, start + 1, this.#pos);
    this.#pos = start;
    this.varint(length);
    this.#pos += length;
    return this;
  }

  /** Takes back what was written since the last `fork`, or everything. */
  reset(): this {
    this.#pos = this.#forks.pop() ?? 0;
    return this;
  }

  /** The way by which the SDK's coders write bytes without their length. */
  _push<T>(write: (value: T, buffer: Uint8Array, pos: number) => void, length: number, value: T): this {
    this.#need(length);
    write(value, this.#buffer, this.#pos);
    this.#pos += length;
    return this;
  }
}

/** Whether a bigint fits a signed 64-bit integer. */
export function isInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

/** Whether the text has a UTF-8 form: no surrogate without its other half. */
export function isWellFormed(text: string): boolean {
  // In Node since 20; TypeScript's ES2023 library does not know it yet.
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

function utf8Length(text: string): number {
  if (!isWellFormed(text)) throw new EncodeError("a string with a lone surrogate cannot be encoded");
  return Buffer.byteLength(text);
}
