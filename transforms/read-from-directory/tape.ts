/** The bytes that passed most recently, by offset: what fingerprints and dead letters are cut from. */

/** Of a record that does not end, the tape holds this much of its beginning, and its last chunks. */
const BEGINNING_BYTES = 1024 * 1024 + 128 * 1024;
const LAST_CHUNKS = 4;
const NEWLINE = 0x0a;

/** Bytes that are held, or only counted. */
interface Stretch {
  readonly bytes: Buffer | undefined;
  readonly length: number;
  readonly newlines: number;
}

/** Bounded, however long a record is: the middle of a giant is forgotten but for its length and lines. */
export class Tape {
  #stretches: Stretch[] = [];
  #start: number;
  #end: number;

  /** @param before the bytes right before offset `end`. */
  constructor(end: number, before: Buffer) {
    this.#end = end;
    this.#start = end - before.length;
    if (before.length > 0) this.#stretches.push(held(before));
  }

  get end(): number {
    return this.#end;
  }

  push(chunk: Buffer): void {
    this.#stretches.push(held(chunk));
    this.#end += chunk.length;
    if (this.#end - this.#start > BEGINNING_BYTES) this.#forgetMiddle();
  }

  /** Forgets whole chunks before this offset. */
  trim(offset: number): void {
    let first = this.#stretches[0];
    while (first !== undefined && this.#start + first.length <= offset) {
      this.#start += first.length;
      this.#stretches.shift();
      first = this.#stretches[0];
    }
  }

  /**
   * The bytes of a range: one chunk's own memory where it can be. Of a giant only its beginning.
   * @throws when the range was trimmed.
   */
  slice(from: number, to: number): Buffer {
    if (from < this.#start || to > this.#end) {
      throw new Error(`bytes ${from}-${to} are not on the tape (${this.#start}-${this.#end})`);
    }
    const parts: Buffer[] = [];
    this.#each(from, to, ({ bytes }, start, end) => {
      if (bytes !== undefined) parts.push(bytes.subarray(start, end));
      return bytes !== undefined;
    });
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** How many lines end in a range. */
  newlines(from: number, to: number): number {
    let count = 0;
    this.#each(from, to, ({ bytes, newlines }, start, end) => {
      count += bytes === undefined ? newlines : countNewlines(bytes.subarray(start, end));
      return true;
    });
    return count;
  }

  /** Calls back for every stretch in a range, until it returns false. */
  #each(from: number, to: number, visit: (stretch: Stretch, start: number, end: number) => boolean): void {
    let at = this.#start;
    for (const stretch of this.#stretches) {
      const start = Math.max(from, at) - at;
      const end = Math.min(to, at + stretch.length) - at;
      if (start < end && !visit(stretch, start, end)) return;
      at += stretch.length;
      if (at >= to) return;
    }
  }

  #forgetMiddle(): void {
    const stretches = this.#stretches;
    let at = this.#start;
    let first = 0;
    while (at + stretches[first]!.length - this.#start <= BEGINNING_BYTES) at += stretches[first++]!.length;
    const last = stretches.length - LAST_CHUNKS;
    if (last - first < 2) return;
    const middle = stretches.slice(first, last);
    const length = middle.reduce((sum, stretch) => sum + stretch.length, 0);
    const newlines = middle.reduce(
      (sum, { bytes, newlines: known }) => sum + (bytes ? countNewlines(bytes) : known),
      0,
    );
    stretches.splice(first, middle.length, { bytes: undefined, length, newlines });
  }
}

function held(bytes: Buffer): Stretch {
  return { bytes, length: bytes.length, newlines: 0 };
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
