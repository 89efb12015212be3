/** A table of the local store: what is on disk, and what was put and removed since, which is in memory until `flush`. */
import type { Database } from "lmdb";
import { ByteTable } from "./byte-table.js";

/** Keys and values are bytes. */
export type StoreTable = Database<Buffer, Buffer>;

export class BufferedTable {
  readonly #table: StoreTable;
  readonly #changes = new ByteTable();
  #givenBytes = 0;

  constructor(table: StoreTable) {
    this.#table = table;
  }

  get changes(): number {
    return this.#changes.size;
  }

  /** What its changes take in memory. */
  get bytes(): number {
    return this.#changes.bytes;
  }

  /** Of all that was put and removed since the last flush, what has taken the place of earlier changes too. */
  get givenBytes(): number {
    return this.#givenBytes;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#changes.set(key, value);
    this.#givenBytes += key.length + value.length;
  }

  remove(key: Uint8Array): void {
    this.#changes.set(key, undefined);
    this.#givenBytes += key.length;
  }

  /** Good until the next change. */
  get(key: Buffer): Buffer | undefined {
    const changed = this.#changes.get(key);
    return changed === undefined ? this.#table.getBinary(key) : (changed ?? undefined);
  }

  /** From a key on and before another, in order. Bytes are good until the next entry. */
  *range(start: Buffer, end: Buffer): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
    const waiting = this.#changes.range(start, end);
    let next = waiting.next();
    for (const stored of this.#table.getRange({ start, end })) {
      let isChanged = false;
      while (!next.done) {
        const order = Buffer.compare(next.value.key, stored.key);
        if (order > 0) break;
        isChanged = order === 0;
        if (next.value.value !== undefined) yield { key: next.value.key, value: next.value.value };
        next = waiting.next();
      }
      if (!isChanged) yield stored;
    }
    for (; !next.done; next = waiting.next()) {
      if (next.value.value !== undefined) yield { key: next.value.key, value: next.value.value };
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
    for (const { key, value } of this.#changes.nearlySorted()) {
      if (value === undefined) this.#table.removeSync(key);
      else this.#table.putSync(key, value);
    }
    this.#changes.clear();
    this.#givenBytes = 0;
  }

  /** Within a transaction: at once. */
  removeNow(key: Buffer): void {
    this.#table.removeSync(key);
  }
}
