/** A bounded memory of recent keys and their texts, outside the JavaScript heap. */

/** Slots that a key may lie in: those of one set, next to each other. */
const WAYS = 4;
/** Characters at a key's end that are hashed: ids differ there, whatever prefix they share. */
const HASHED_CHARS_MAX = 16;
/** Room for keys and texts, in bytes a key; where entries are longer, fewer keys are remembered. */
const BYTES_PER_KEY = 192;
const RING_BYTES_MIN = 64 * 1024;
/** A longer entry is not remembered. */
const ENTRY_SHARE_MAX = 1 / 8;

/**
 * Remembers a text for each key, `capacity` keys at the most (rounded down to a power of two): a
 * set-associative cache, as in hardware, whose entries lie in a ring of bytes. The oldest give way, so
 * that a key is sure to be remembered only for a while. A look-up compares whole keys: it never answers
 * for another one. A new key costs a cache line, and nothing here is work for the garbage collector.
 */
export class RecentKeys {
  readonly #setMask: number;
  /** By slot: hash of the key, so that a new key is told apart without touching the entries. */
  readonly #hashes: Int32Array;
  /** By slot: where the entry starts, counted from the first byte ever written; 0 is never a start. */
  readonly #starts: Float64Array;
  /** By slot: bytes of the key, which comes first, and of the entry. */
  readonly #keyBytes: Int32Array;
  readonly #entryBytes: Int32Array;
  /** By set: the slot that is overwritten next. */
  readonly #oldest: Uint8Array;
  readonly #ring: Buffer;
  /** Bytes ever written. */
  #written = 1;

  /** @throws RangeError when `capacity` is no integer from 1 to 2^22. */
  constructor(capacity: number) {
    if (!(Number.isInteger(capacity) && capacity >= 1 && capacity <= 2 ** 22)) {
      throw new RangeError(
        `the capacity of a cache of keys must be an integer from 1 to 2^22, got ${capacity}`,
      );
    }
    const sets = 2 ** Math.max(0, Math.floor(Math.log2(capacity / WAYS)));
    const slots = sets * WAYS;
    this.#setMask = sets - 1;
    this.#hashes = new Int32Array(slots);
    this.#starts = new Float64Array(slots);
    this.#keyBytes = new Int32Array(slots);
    this.#entryBytes = new Int32Array(slots);
    this.#oldest = new Uint8Array(sets);
    this.#ring = Buffer.allocUnsafeSlow(Math.max(RING_BYTES_MIN, slots * BYTES_PER_KEY));
  }

  /** The text that was added with the key, as long as it is remembered. */
  get(key: string): string | undefined {
    const slot = this.#find(key, hashOf(key));
    if (slot < 0) return undefined;
    const at = this.#place(slot);
    return this.#ring.toString("utf8", at + this.#keyBytes[slot]!, at + this.#entryBytes[slot]!);
  }

  /** Remembers the key; one that is there keeps its first text. */
  add(key: string, text: string): void {
    const hash = hashOf(key);
    if (this.#find(key, hash) >= 0) return;
    const set = hash & this.#setMask;
    const way = this.#oldest[set]!;
    const start = this.#reserve((key.length + text.length) * 3); // a UTF-16 unit takes at most 3 bytes
    if (start === undefined) return;
    const at = start % this.#ring.length;
    const keyBytes = this.#ring.write(key, at, "utf8");
    const entryBytes = keyBytes + this.#ring.write(text, at + keyBytes, "utf8");
    this.#written = start + entryBytes;
    this.#oldest[set] = (way + 1) % WAYS;
    const slot = set * WAYS + way;
    this.#hashes[slot] = hash;
    this.#starts[slot] = start;
    this.#keyBytes[slot] = keyBytes;
    this.#entryBytes[slot] = entryBytes;
  }

  /** The slot of the key, or -1. */
  #find(key: string, hash: number): number {
    const first = (hash & this.#setMask) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#hashes[slot] === hash && this.#holds(slot, key)) return slot;
    }
    return -1;
  }

  #holds(slot: number, key: string): boolean {
    const start = this.#starts[slot]!;
    if (start === 0 || this.#written - start > this.#ring.length) return false;
    const at = this.#place(slot);
    return this.#ring.toString("utf8", at, at + this.#keyBytes[slot]!) === key;
  }

  #place(slot: number): number {
    return this.#starts[slot]! % this.#ring.length;
  }

  /** Where an entry of up to `bytes` bytes may start; it never lies across the ring's end. */
  #reserve(bytes: number): number | undefined {
    const size = this.#ring.length;
    if (bytes > size * ENTRY_SHARE_MAX) return undefined;
    const rest = size - (this.#written % size);
    return rest < bytes ? this.#written + rest : this.#written;
  }
}

/** FNV-1a over UTF-16 units, its high bits mixed into the low ones that choose the set. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5 ^ key.length;
  for (let at = Math.max(0, key.length - HASHED_CHARS_MAX); at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return hash ^ (hash >>> 15);
}
