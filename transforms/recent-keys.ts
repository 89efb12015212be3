/** A bounded memory of recent keys: asked for every event, so it costs one cache line where a key is new. */

/** Slots that a key may lie in: those of one set, next to each other. */
const WAYS = 4;
/** Characters at a key's end that are hashed: ids differ there, whatever prefix they share. */
const HASHED_CHARS_MAX = 16;

/**
 * Remembers values by key, `capacity` at the most (rounded down to a power of two). A set-associative
 * cache, as in hardware: of the keys that share a set the oldest gives way, so that a key is sure to be
 * remembered only for a while. A look-up compares whole keys: it never answers for another one.
 */
export class RecentKeys<Value> {
  readonly #setMask: number;
  /** Hashes of the keys by slot: a new key is told apart without touching the keys themselves. */
  readonly #hashes: Int32Array;
  readonly #keys: (string | undefined)[];
  readonly #values: (Value | undefined)[];
  /** By set: the slot that is overwritten next. */
  readonly #oldest: Uint8Array;

  /** @throws RangeError when `capacity` is no integer from 1 to 2^27. */
  constructor(capacity: number) {
    if (!(Number.isInteger(capacity) && capacity >= 1 && capacity <= 2 ** 27)) {
      throw new RangeError(
        `the capacity of a cache of keys must be an integer from 1 to 2^27, got ${capacity}`,
      );
    }
    const sets = 2 ** Math.max(0, Math.floor(Math.log2(capacity / WAYS)));
    this.#setMask = sets - 1;
    this.#hashes = new Int32Array(sets * WAYS);
    this.#keys = new Array(sets * WAYS).fill(undefined);
    this.#values = new Array(sets * WAYS).fill(undefined);
    this.#oldest = new Uint8Array(sets);
  }

  get(key: string): Value | undefined {
    const hash = hashOf(key);
    const first = (hash & this.#setMask) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#hashes[slot] === hash && this.#keys[slot] === key) return this.#values[slot];
    }
    return undefined;
  }

  /** Remembers the key; one that is there keeps its first value. */
  add(key: string, value: Value): void {
    const hash = hashOf(key);
    const set = hash & this.#setMask;
    const first = set * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#hashes[slot] === hash && this.#keys[slot] === key) return;
    }
    const way = this.#oldest[set] as number;
    this.#oldest[set] = (way + 1) % WAYS;
    this.#hashes[first + way] = hash;
    this.#keys[first + way] = key;
    this.#values[first + way] = value;
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
