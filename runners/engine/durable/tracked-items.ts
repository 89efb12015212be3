/** Items that are a record each: which of them came, changed and went since the last delta. */
import type { StateChanges, StateLog } from "./state-log.js";

export interface TrackedItemsParts<T> {
  readonly changes: StateChanges;
  keyOf(item: T): string;
  encode(item: T): Uint8Array;
  /** Items never change: one that goes before it was written leaves nothing behind. */
  readonly areConstant: boolean;
}

export class TrackedItems<T> {
  readonly #parts: TrackedItemsParts<T>;
  readonly #changed = new Set<T>();
  readonly #gone = new Set<string>();

  constructor(parts: TrackedItemsParts<T>) {
    this.#parts = parts;
  }

  /** It is new, or has changed. */
  put(item: T): void {
    this.#changed.add(item);
    this.#parts.changes.note();
  }

  remove(item: T): void {
    this.#parts.changes.note();
    if (this.#changed.delete(item) && this.#parts.areConstant) return;
    this.#gone.add(this.#parts.keyOf(item));
  }

  /** Another of the same key has taken its place, and is put by itself. */
  replace(item: T): void {
    this.#changed.delete(item);
  }

  /** @param all every item that there is */
  write(log: StateLog, all: Iterable<T>): void {
    const { keyOf, encode } = this.#parts;
    for (const key of this.#gone) log.remove(key);
    for (const item of log.isFull ? all : this.#changed) log.put(keyOf(item), encode(item));
    this.#gone.clear();
    this.#changed.clear();
  }
}
