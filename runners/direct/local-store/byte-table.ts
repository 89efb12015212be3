/** A hash table of byte strings in a few large pieces of memory: a garbage collector has nothing to look at in it. */
import { randomBytes } from "node:crypto";
import { type NumberedKeys, nearOrder, SortedRuns } from "./sorted-runs.js";

const FIRST_ENTRIES = 64;
const FIRST_BYTES = 4_096;
/** Of the memory that an entry takes besides its bytes: where they are, and its share of the table of hashes. */
const ENTRY_BYTES = 32;
const REMOVED = -1;
/** Of an entry in the arrays, two places by hash among them. */
const ARRAYS_BYTES = 28;
/** What is kept of its memory at the most. */
const KEPT_BYTES_MAX = 128 * 1024 * 1024;

/** Undefined as a value: the key was removed. */
export interface ByteEntry {
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

/** Keeps its memory when it is emptied: it is for what comes and goes in like amounts. But not after much at one time. */
export class ByteTable implements NumberedKeys {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #end = 0;
  #size = 0;
  // By entry: where its bytes are. Open addressing: the number of an entry plus 1 by hash, in one of the next free places.
  #places = new Int32Array(2 * FIRST_ENTRIES);
  #hashes = new Int32Array(FIRST_ENTRIES);
  #keyStarts = new Int32Array(FIRST_ENTRIES);
  #keyLengths = new Int32Array(FIRST_ENTRIES);
  #valueStarts = new Int32Array(FIRST_ENTRIES);
  #valueLengths = new Int32Array(FIRST_ENTRIES);
  readonly #sorted = new SortedRuns(this);

  get size(): number {
    return this.#size;
  }

  /** Bytes in memory that its entries take, those too that later ones have replaced. */
  get bytes(): number {
    return this.#end + ENTRY_BYTES * this.#size;
  }

  /** The value, good until the next change; null where the key was removed, undefined where it is not known. */
  get(key: Uint8Array): Buffer | null | undefined {
    const entry = this.#size === 0 ? -1 : this.#find(key, hashOf(key));
    return entry < 0 ? undefined : (this.#valueOf(entry) ?? null);
  }

  set(key: Uint8Array, value: Uint8Array | undefined): void {
    const hash = hashOf(key);
    const found = this.#find(key, hash);
    const entry = found >= 0 ? found : this.#add(key, hash);
    if (value === undefined) {
      this.#valueLengths[entry] = REMOVED;
      return;
    }
    if (value.length > this.#valueLengths[entry]!) this.#valueStarts[entry] = this.#take(value.length);
    this.#valueLengths[entry] = value.length;
    this.#bytes.set(value, this.#valueStarts[entry]!);
  }

  /** All entries, near the order of their keys: what differs late in them may stand anyhow. Views, good until the next change. */
  *nearlySorted(): Generator<ByteEntry> {
    for (const entry of nearOrder(this, this.#size)) yield this.#entry(entry);
  }

  /** Those whose keys are from `start` on and before `end`, in order. They are views, good until the next change. */
  *range(start: Uint8Array, end: Uint8Array): Generator<ByteEntry> {
    this.#sorted.extend(this.#size);
    const runs = this.#sorted.all.map((run) => ({ run, at: this.#firstFrom(run, start) }));
    for (;;) {
      let least: { readonly run: Int32Array; at: number } | undefined;
      for (const one of runs) {
        if (one.at === one.run.length) continue;
        if (least === undefined || this.compare(one.run[one.at]!, least.run[least.at]!) < 0) least = one;
      }
      if (least === undefined) return;
      const entry = this.#entry(least.run[least.at++]!);
      if (Buffer.compare(entry.key, end) >= 0) return;
      yield entry;
    }
  }

  /** Of two entries, by their keys. */
  compare(a: number, b: number): number {
    const [bytes, startA, startB] = [this.#bytes, this.#keyStarts[a]!, this.#keyStarts[b]!];
    const [lengthA, lengthB] = [this.#keyLengths[a]!, this.#keyLengths[b]!];
    const common = Math.min(lengthA, lengthB);
    for (let at = 0; at < common; at++) {
      const difference = bytes[startA + at]! - bytes[startB + at]!;
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB;
  }

  commonLength(from: number, until: number): number {
    const [bytes, first] = [this.#bytes, this.#keyStarts[from]!];
    let common = this.#keyLengths[from] ?? 0;
    for (let entry = from + 1; entry < until; entry++) {
      const start = this.#keyStarts[entry]!;
      common = Math.min(common, this.#keyLengths[entry]!);
      for (let at = 0; at < common; at++) if (bytes[first + at] !== bytes[start + at]) common = at;
    }
    return common;
  }

  prefixOf(entry: number, at: number): number {
    const start = this.#keyStarts[entry]! + at;
    const end = this.#keyStarts[entry]! + this.#keyLengths[entry]!;
    let prefix = 0;
    for (let byte = start; byte < start + 4; byte++) {
      prefix = prefix * 256 + (byte < end ? this.#bytes[byte]! : 0);
    }
    return prefix;
  }

  clear(): void {
    if (this.#bytes.length + ARRAYS_BYTES * this.#hashes.length > KEPT_BYTES_MAX) this.#letGo();
    else this.#places.fill(0);
    this.#end = 0;
    this.#size = 0;
    this.#sorted.clear();
  }

  #letGo(): void {
    this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#places = new Int32Array(2 * FIRST_ENTRIES);
    this.#hashes = new Int32Array(FIRST_ENTRIES);
    this.#keyStarts = new Int32Array(FIRST_ENTRIES);
    this.#keyLengths = new Int32Array(FIRST_ENTRIES);
    this.#valueStarts = new Int32Array(FIRST_ENTRIES);
    this.#valueLengths = new Int32Array(FIRST_ENTRIES);
  }

  #entry(entry: number): ByteEntry {
    const start = this.#keyStarts[entry]!;
    return {
      key: this.#bytes.subarray(start, start + this.#keyLengths[entry]!),
      value: this.#valueOf(entry),
    };
  }

  /** The first place of a run whose key is not before this one. */
  #firstFrom(run: Int32Array, key: Uint8Array): number {
    let [from, until] = [0, run.length];
    while (from < until) {
      const middle = (from + until) >> 1;
      if (Buffer.compare(this.#entry(run[middle]!).key, key) < 0) from = middle + 1;
      else until = middle;
    }
    return from;
  }

  #valueOf(entry: number): Buffer | undefined {
    const length = this.#valueLengths[entry]!;
    if (length === REMOVED) return undefined;
    const start = this.#valueStarts[entry]!;
    return this.#bytes.subarray(start, start + length);
  }

  /** The key's entry; -1: there is none. */
  #find(key: Uint8Array, hash: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = places[place]! - 1;
      if (entry < 0) return -1;
      if (this.#hashes[entry] === hash && this.#isKey(entry, key)) return entry;
    }
  }

  #isKey(entry: number, key: Uint8Array): boolean {
    if (this.#keyLengths[entry] !== key.length) return false;
    const [bytes, start] = [this.#bytes, this.#keyStarts[entry]!];
    for (let at = 0; at < key.length; at++) if (bytes[start + at] !== key[at]) return false;
    return true;
  }

  /** An entry without a value. */
  #add(key: Uint8Array, hash: number): number {
    if (this.#size === this.#hashes.length) this.#growEntries();
    const entry = this.#size++;
    this.#hashes[entry] = hash;
    this.#keyStarts[entry] = this.#take(key.length);
    this.#keyLengths[entry] = key.length;
    this.#valueLengths[entry] = REMOVED;
    this.#bytes.set(key, this.#keyStarts[entry]!);
    this.#enter(entry);
    return entry;
  }

  #enter(entry: number): void {
    const mask = this.#places.length - 1;
    let place = this.#hashes[entry]! & mask;
    while (this.#places[place] !== 0) place = (place + 1) & mask;
    this.#places[place] = entry + 1;
  }

  #growEntries(): void {
    const length = 2 * this.#hashes.length;
    this.#hashes = copied(this.#hashes, length);
    this.#keyStarts = copied(this.#keyStarts, length);
    this.#keyLengths = copied(this.#keyLengths, length);
    this.#valueStarts = copied(this.#valueStarts, length);
    this.#valueLengths = copied(this.#valueLengths, length);
    this.#places = new Int32Array(2 * length);
    for (let entry = 0; entry < this.#size; entry++) this.#enter(entry);
  }

  /** Room for so many bytes; where they are. */
  #take(length: number): number {
    const start = this.#end;
    this.#end += length;
    if (this.#end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#end, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    return start;
  }
}

function copied(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}

/** Another one in each process: who chooses keys cannot choose such that all have one place. */
const HASH_SEED = randomBytes(4).readInt32LE();

/** FNV-1a of 32 bits (Fowler, Noll, Vo), its upper half mixed into the lower one, by which places are chosen. */
function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5 ^ HASH_SEED;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key[at]!, 0x01000193);
  return hash ^ (hash >>> 15);
}
