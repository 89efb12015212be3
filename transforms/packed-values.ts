/** Values packed into arrays outside the JavaScript heap, where no collection of garbage has to look at them. */

const UNITS_AT_FIRST = 4096;
const ROWS_AT_FIRST = 64;
/** What is no string is packed as text behind its type. */
const STRING = 0;
const OTHER = 1;
/** Different in every process, so that nobody can prepare keys with one hash. */
const HASH_SEED = Math.floor(Math.random() * 2 ** 32);

/**
 * A list of values, each with a key of its own and a hash of the key. Two rows have equal units if and
 * only if their keys and all their fields are equal, as long as values have their fields in one order.
 */
export class PackedValues {
  /** How many rows there are. */
  length = 0;
  /** UTF-16 units of the rows: the key, then the fields. */
  #units = new Uint16Array(UNITS_AT_FIRST);
  #keyEnds = new Int32Array(ROWS_AT_FIRST);
  #ends = new Int32Array(ROWS_AT_FIRST);
  #hashes = new Int32Array(ROWS_AT_FIRST);

  /** @param names numbers of the fields' names, shared by all lists whose rows are compared */
  constructor(private readonly names: Map<string, number>) {}

  /** Adds a value under its field `keyName`, a string. */
  push(value: Readonly<Record<string, unknown>>, keyName: string): void {
    const start = this.#startNext();
    const key = value[keyName] as string;
    const keyEnd = this.#write(key, start);
    let hash = HASH_SEED;
    for (let at = start; at < keyEnd; at++) hash = Math.imul(hash ^ this.#units[at]!, 0x01000193);
    let end = keyEnd;
    for (const name in value) {
      if (name !== keyName) end = this.#writeField(name, value[name], end);
    }
    this.#finishRow(keyEnd, end, mixed(hash));
  }

  /** Adds a row of another list. */
  pushRow(other: PackedValues, row: number): void {
    const start = this.#startNext();
    const from = other.#startOf(row);
    const length = other.#ends[row]! - from;
    this.#makeRoom(start + length);
    const source = other.#units;
    const target = this.#units;
    for (let at = 0; at < length; at++) target[start + at] = source[from + at]!;
    this.#finishRow(start + other.#keyEnds[row]! - from, start + length, other.#hashes[row]!);
  }

  dropLast(): void {
    this.length--;
  }

  /** Empties the list; the memory is kept. */
  clear(): void {
    this.length = 0;
  }

  hashOf(row: number): number {
    return this.#hashes[row]!;
  }

  hasEqualKey(row: number, other: PackedValues, otherRow: number): boolean {
    return this.#isEqual(row, this.#keyEnds[row]!, other, otherRow, other.#keyEnds[otherRow]!);
  }

  /** Whether key and fields are equal. */
  isEqualRow(row: number, other: PackedValues, otherRow: number): boolean {
    return this.#isEqual(row, this.#ends[row]!, other, otherRow, other.#ends[otherRow]!);
  }

  #isEqual(row: number, end: number, other: PackedValues, otherRow: number, otherEnd: number): boolean {
    const start = this.#startOf(row);
    const otherStart = other.#startOf(otherRow);
    if (end - start !== otherEnd - otherStart) return false;
    for (let at = 0; at < end - start; at++) {
      if (this.#units[start + at] !== other.#units[otherStart + at]) return false;
    }
    return true;
  }

  #startOf(row: number): number {
    return row === 0 ? 0 : this.#ends[row - 1]!;
  }

  #startNext(): number {
    if (this.length === this.#ends.length) {
      this.#keyEnds = longer(this.#keyEnds);
      this.#ends = longer(this.#ends);
      this.#hashes = longer(this.#hashes);
    }
    return this.#startOf(this.length);
  }

  #finishRow(keyEnd: number, end: number, hash: number): void {
    this.#keyEnds[this.length] = keyEnd;
    this.#ends[this.length] = end;
    this.#hashes[this.length] = hash;
    this.length++;
  }

  /** The number of its name, its kind, its length in two units, its text. */
  #writeField(name: string, value: unknown, at: number): number {
    const isString = typeof value === "string";
    const text = isString ? value : textOf(value);
    this.#makeRoom(at + 4);
    this.#units[at] = this.#numberOf(name);
    this.#units[at + 1] = isString ? STRING : OTHER;
    this.#units[at + 2] = text.length & 0xffff;
    this.#units[at + 3] = text.length >>> 16;
    return this.#write(text, at + 4);
  }

  #write(text: string, at: number): number {
    const { length } = text;
    this.#makeRoom(at + length);
    const units = this.#units;
    for (let i = 0; i < length; i++) units[at + i] = text.charCodeAt(i);
    return at + length;
  }

  #numberOf(name: string): number {
    let number = this.names.get(name);
    if (number === undefined) {
      number = this.names.size;
      this.names.set(name, number);
    }
    return number;
  }

  #makeRoom(units: number): void {
    if (units <= this.#units.length) return;
    const larger = new Uint16Array(Math.max(2 * this.#units.length, units));
    larger.set(this.#units);
    this.#units = larger;
  }
}

function longer(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const result = new Int32Array(2 * numbers.length);
  result.set(numbers);
  return result;
}

function textOf(value: unknown): string {
  return `${typeof value} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`;
}

/** Spreads what differs in few bits over all of them (the last steps of MurmurHash3). */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
