/** The last values accepted, by key: what `deduplicate` remembers. */
import { PackedValues } from "./packed-values.js";

/** The largest capacity; with rows of 200 characters that is about 2 GB. */
export const HORIZON_RECORDS_MAX = 4_194_304;

/** What the memory holds under a key: nothing, the same value, or another one. */
export type Remembered = "nothing" | "equal" | "different";

/** The last `capacity` keys at the most, and at least half of them, each with its first value. */
export class RecentValues {
  readonly #names = new Map<string, number>();
  readonly #generationMax: number;
  #young = new Generation(this.createList());
  #old = new Generation(this.createList());

  constructor(capacity: number) {
    this.#generationMax = Math.ceil(capacity / 2);
  }

  /** An empty list whose rows can be looked up here. */
  createList(): PackedValues {
    return new PackedValues(this.#names);
  }

  /** Looks up the key of a row. */
  look(list: PackedValues, row: number): Remembered {
    for (const generation of [this.#young, this.#old]) {
      const stored = generation.find(list, row);
      if (stored >= 0) return generation.rows.isEqualRow(stored, list, row) ? "equal" : "different";
    }
    return "nothing";
  }

  /** Remembers a row, unless its key is known: the first value is the one in the table. */
  add(list: PackedValues, row: number): void {
    if (this.look(list, row) !== "nothing") return;
    if (this.#young.rows.length >= this.#generationMax) {
      const emptied = this.#old;
      emptied.clear();
      this.#old = this.#young;
      this.#young = emptied;
    }
    this.#young.add(list, row);
  }
}

const SLOTS_AT_FIRST = 256;

/** Rows with an index by key: open addressing, at most half full, one more than the row's number in a slot. */
class Generation {
  #slots = new Int32Array(SLOTS_AT_FIRST);

  constructor(readonly rows: PackedValues) {}

  /** The row with the same key, or -1. */
  find(list: PackedValues, row: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const hash = list.hashOf(row);
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const stored = slots[slot]! - 1;
      if (this.rows.hashOf(stored) === hash && this.rows.hasEqualKey(stored, list, row)) return stored;
    }
    return -1;
  }

  add(list: PackedValues, row: number): void {
    if (2 * (this.rows.length + 1) > this.#slots.length) {
      this.#slots = new Int32Array(2 * this.#slots.length);
      for (let stored = 0; stored < this.rows.length; stored++) this.#enter(stored);
    }
    this.rows.pushRow(list, row);
    this.#enter(this.rows.length - 1);
  }

  clear(): void {
    this.rows.clear();
    this.#slots.fill(0);
  }

  #enter(row: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.rows.hashOf(row) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
  }
}
