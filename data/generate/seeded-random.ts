/** A fast seeded source of randomness: the same seed text gives the same numbers on every machine. */
import { createHash } from "node:crypto";

/**
 * The generator sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, three additions, two shifts
 * and a rotation a number. Seeded with the SHA-256 of a text, so that seeds that differ in one digit
 * give unrelated numbers.
 */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seedText: string) {
    const digest = createHash("sha256").update(seedText).digest();
    this.#a = digest.readInt32LE(0);
    this.#b = digest.readInt32LE(4);
    this.#c = digest.readInt32LE(8);
    this.#counter = digest.readInt32LE(12);
  }

  /** 32 random bits, as an integer from 0. */
  bits32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0 up to, not including, 1. */
  fraction(): number {
    return this.bits32() / 2 ** 32;
  }

  /** An integer from 0 up to, not including, `limit` (at most 2^32). */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** Writes a UUID of version 4 and RFC 9562's variant, in lower case: 36 bytes of ASCII at `at`. */
  writeUuid(bytes: Uint8Array, at: number): void {
    const a = this.bits32();
    const b = this.bits32();
    const c = this.bits32();
    const d = this.bits32();
    writeHex(bytes, at, a >>> 16);
    writeHex(bytes, at + 4, a);
    bytes[at + 8] = dash;
    writeHex(bytes, at + 9, b >>> 16);
    bytes[at + 13] = dash;
    writeHex(bytes, at + 14, 0x4000 | (b & 0x0fff));
    bytes[at + 18] = dash;
    writeHex(bytes, at + 19, 0x8000 | ((c >>> 16) & 0x3fff));
    bytes[at + 23] = dash;
    writeHex(bytes, at + 24, c);
    writeHex(bytes, at + 28, d >>> 16);
    writeHex(bytes, at + 32, d);
  }
}

const dash = 0x2d;
const hexDigits = Buffer.from("0123456789abcdef", "latin1");

/** The lower 16 bits as four digits. */
function writeHex(bytes: Uint8Array, at: number, bits: number): void {
  bytes[at] = hexDigits[(bits >>> 12) & 15]!;
  bytes[at + 1] = hexDigits[(bits >>> 8) & 15]!;
  bytes[at + 2] = hexDigits[(bits >>> 4) & 15]!;
  bytes[at + 3] = hexDigits[bits & 15]!;
}
