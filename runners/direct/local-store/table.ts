/** A table of the local store: what is on disk, and what was put and removed since, which is in memory until `flush`. */
import type { Database } from "lmdb";

/** Keys and values are bytes; in memory a key is its bytes as latin1, which have the same order. */
export type StoreTable = Database<Buffer, Buffer>;

/** What a change costs in memory besides its bytes, more or less. */
const CHANGE_BYTES = 150;

export class BufferedTable {
  readonly #table: StoreTable;
  #changes = new Map<string, Buffer | undefined>();
  #bytes = 0;

  constructor(table: StoreTable) {
    this.#table = table;
  }

  get changes(): number {
    return this.#changes.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  put(key: Buffer, value: Buffer): void {
    this.#changes.set(key.toString("latin1"), value);
    this.#bytes += CHANGE_BYTES + key.length + value.length;
  }

  remove(key: Buffer): void {
    this.#changes.set(key.toString("latin1"), undefined);
    this.#bytes += CHANGE_BYTES + key.length;
  }

  /** A copy. */
  get(key: Buffer): Buffer | undefined {
    if (this.#changes.size > 0) {
      const text = key.toString("latin1");
      const changed = this.#changes.get(text);
      if (changed !== undefined || this.#changes.has(text)) return changed;
    }
    return this.#table.getBinary(key);
  }

  /**
   * What is on disk from a key on and before another, less what was removed or put since: for those who know that what
   * was put since is elsewhere.
   */
  *unchanged(start: Buffer, end: Buffer): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
    for (const { key, value } of this.#table.getRange({ start, end })) {
      if (!this.#changes.has(key.toString("latin1"))) yield { key, value };
    }
  }

  /** Keys alone: values may be large. */
  keysOnDisk(start: Buffer, end: Buffer): Iterable<Buffer> {
    return this.#table.getKeys({ start, end });
  }

  /** All that is on disk, from behind a key on. */
  *onDisk(after: Buffer | undefined): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
    yield* this.#table.getRange(after === undefined ? {} : { start: after, exclusiveStart: true });
  }

  /** Within a transaction. */
  flush(): void {
    // Neighbours lie on one page.
    for (const text of [...this.#changes.keys()].sort()) {
      const value = this.#changes.get(text);
      const key = Buffer.from(text, "latin1");
      if (value === undefined) this.#table.removeSync(key);
      else this.#table.putSync(key, value);
    }
    this.#changes = new Map();
    this.#bytes = 0;
  }

  /** Within a transaction: at once. */
  removeNow(key: Buffer): void {
    this.#table.removeSync(key);
  }
}
