/** Event times as text, to the microsecond, fast enough for every event of a fast stream. */

/** Bytes of a formatted event time. */
export const eventTimeLength = "2025-01-01T00:00:00.000000Z".length;

/**
 * Formats `startMs + offsetMicros` as `YYYY-MM-DDTHH:MM:SS.ffffffZ`. Keeps the text of the last second,
 * because a fast stream asks for the same one thousands of times. Years 0001 to 9999.
 */
export class EventTimeFormat {
  readonly #startMs: number;
  #second = Number.NaN;
  #secondText = Buffer.alloc(0);

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** Writes `eventTimeLength` bytes of ASCII at `at`. */
  write(bytes: Uint8Array, at: number, offsetMicros: number): void {
    // Milliseconds and microseconds apart: together, late years do not fit a double.
    const ms = this.#startMs + Math.floor(offsetMicros / 1000);
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) this.#keepSecond(second);
    const text = this.#secondText;
    for (let index = 0; index < text.length; index++) bytes[at + index] = text[index]!;
    writeThreeDigits(bytes, at + text.length, ms - second * 1000);
    writeThreeDigits(bytes, at + text.length + 3, offsetMicros % 1000);
    bytes[at + text.length + 6] = letterZ;
  }

  #keepSecond(second: number): void {
    this.#second = second;
    // Up to and with the decimal point.
    this.#secondText = Buffer.from(new Date(second * 1000).toISOString().slice(0, 20), "latin1");
  }
}

const digitZero = 0x30;
const letterZ = 0x5a;

function writeThreeDigits(bytes: Uint8Array, at: number, number: number): void {
  bytes[at] = digitZero + Math.floor(number / 100);
  bytes[at + 1] = digitZero + (Math.floor(number / 10) % 10);
  bytes[at + 2] = digitZero + (number % 10);
}
