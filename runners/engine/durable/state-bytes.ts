/** The bytes of a state record: numbers, texts and the encodings of values, one behind the other. */

const FIRST_BYTES = 128;
/** Of a count: a safe integer in groups of seven bits. */
const COUNT_BYTES_MAX = 8;
const TIME_BYTES = 8;
/** Below what a count has room for in one byte. */
const SHORT_TEXT_MAX = 100;

export class StateWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  /** A whole number that is not negative. */
  count(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new Error(`a count must not be negative, got ${value}`);
    this.#need(COUNT_BYTES_MAX);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
    return this;
  }

  /** Any number, infinite ones too: event times are wider than safe integers. */
  time(ms: number): this {
    this.#need(TIME_BYTES);
    this.#buffer.writeDoubleLE(ms, this.#at);
    this.#at += TIME_BYTES;
    return this;
  }

  timeOrNone(ms: number | undefined): this {
    this.flag(ms !== undefined);
    return ms === undefined ? this : this.time(ms);
  }

  flag(value: boolean): this {
    this.#need(1);
    this.#buffer[this.#at++] = value ? 1 : 0;
    return this;
  }

  text(value: string): this {
    if (value.length <= SHORT_TEXT_MAX && this.#short(value)) return this;
    const bytes = Buffer.byteLength(value);
    this.count(bytes);
    this.#need(bytes);
    this.#at += this.#buffer.write(value, this.#at);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.count(value.length);
    this.#need(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** Bytes that say by themselves where they end. */
  raw(value: Uint8Array): this {
    this.#need(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** What another writer has, without its length; that one is empty afterwards. */
  append(other: StateWriter): this {
    this.#need(other.#at);
    other.#buffer.copy(this.#buffer, this.#at, 0, other.#at);
    this.#at += other.#at;
    other.#at = 0;
    return this;
  }

  /** A copy of what was written; the writer is empty afterwards. */
  finish(): Uint8Array {
    const bytes = Buffer.allocUnsafe(this.#at);
    this.#buffer.copy(bytes, 0, 0, this.#at);
    this.#at = 0;
    return bytes;
  }

  /** Most texts are names like that. */
  #short(value: string): boolean {
    this.#need(1 + value.length);
    if (!writeAscii(this.#buffer, this.#at + 1, value)) return false;
    this.#buffer[this.#at] = value.length;
    this.#at += 1 + value.length;
    return true;
  }

  #need(bytes: number): void {
    const wanted = this.#at + bytes;
    if (wanted <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#buffer.length));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

/**
 * For a short text of seven bits a character, for which a call into the runtime costs more than to write it.
 * @returns whether it is such a text; if not, what is there now is worth nothing
 */
export function writeAscii(into: Uint8Array, start: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return false;
    into[start + at] = code;
  }
  return true;
}

/** Reads what a `StateWriter` wrote, in the same order. @throws when it ends early */
export class StateReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  count(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#buffer[this.#take(1)]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
  }

  time(): number {
    return this.#buffer.readDoubleLE(this.#take(TIME_BYTES));
  }

  timeOrNone(): number | undefined {
    return this.flag() ? this.time() : undefined;
  }

  flag(): boolean {
    return this.#buffer[this.#take(1)] === 1;
  }

  text(): string {
    const length = this.count();
    const start = this.#take(length);
    return this.#buffer.toString("utf8", start, start + length);
  }

  /** A copy: the record's bytes need not be kept. */
  bytes(): Uint8Array {
    const length = this.count();
    const start = this.#take(length);
    return new Uint8Array(this.#buffer.subarray(start, start + length));
  }

  #take(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#buffer.length) {
      throw new Error(
        `state ends at byte ${this.#buffer.length}, in the middle of what begins at byte ${start}`,
      );
    }
    this.#at += bytes;
    return start;
  }
}
