/** Keyed state: cells by stage root, key, window and state id. */
import type { Window } from "./element.js";

/** A bag of values: what value, bag and combining state lie on. */
export interface BagCell {
  readonly size: number;
  /** What is there now: what is appended later is not in it. Not to be changed by whoever reads it. */
  values(): readonly unknown[];
  append(value: unknown): void;
  /** Replaces everything. */
  set(values: readonly unknown[]): void;
  clear(): void;
}

/** Values by map key: what set and map state lie on. Map keys are canonical strings beside the real key. */
export interface MultimapCell {
  get(keyId: string): readonly unknown[];
  put(keyId: string, key: unknown, values: readonly unknown[]): void;
  remove(keyId: string): void;
  clear(): void;
  entries(): Iterable<readonly [key: unknown, values: readonly unknown[]]>;
}

/** The cells of one key and window, made as they are asked for. */
export interface KeyCells {
  bag(stateId: string): BagCell;
  multimap(stateId: string): MultimapCell;
}

class ArrayBag implements BagCell {
  #values: unknown[] = [];
  /** Somebody holds the array: it is copied before the next change. */
  #shared = false;

  get size(): number {
    return this.#values.length;
  }

  values(): readonly unknown[] {
    this.#shared = true;
    return this.#values;
  }

  append(value: unknown): void {
    if (this.#shared) {
      this.#values = [...this.#values];
      this.#shared = false;
    }
    this.#values.push(value);
  }

  set(values: readonly unknown[]): void {
    this.#values = [...values];
    this.#shared = false;
  }

  clear(): void {
    this.#values = [];
    this.#shared = false;
  }
}

class KeyedMultimap implements MultimapCell {
  readonly #entries = new Map<string, readonly [unknown, readonly unknown[]]>();

  get(keyId: string): readonly unknown[] {
    return this.#entries.get(keyId)?.[1] ?? [];
  }

  put(keyId: string, key: unknown, values: readonly unknown[]): void {
    this.#entries.set(keyId, [key, values]);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  remove(keyId: string): void {
    this.#entries.delete(keyId);
  }

  clear(): void {
    this.#entries.clear();
  }

  entries(): Iterable<readonly [unknown, readonly unknown[]]> {
    return [...this.#entries.values()];
  }
}

class Cells implements KeyCells {
  readonly #bags = new Map<string, ArrayBag>();
  readonly #multimaps = new Map<string, KeyedMultimap>();

  get isEmpty(): boolean {
    for (const bag of this.#bags.values()) if (bag.size > 0) return false;
    for (const multimap of this.#multimaps.values()) if (!multimap.isEmpty) return false;
    return true;
  }

  bag(stateId: string): BagCell {
    let cell = this.#bags.get(stateId);
    if (cell === undefined) {
      cell = new ArrayBag();
      this.#bags.set(stateId, cell);
    }
    return cell;
  }

  multimap(stateId: string): MultimapCell {
    let cell = this.#multimaps.get(stateId);
    if (cell === undefined) {
      cell = new KeyedMultimap();
      this.#multimaps.set(stateId, cell);
    }
    return cell;
  }
}

/** All state of one run, in memory. */
export class StateStore {
  /** By root, then window, then key: windows expire as a whole. */
  readonly #roots = new Map<string, Map<string, Map<string, Cells>>>();

  /** The cells of a key in a window; they come into being here. */
  cells(root: string, keyId: string, window: Window): KeyCells {
    const windows = getOrCreate(this.#roots, root, () => new Map<string, Map<string, Cells>>());
    const keys = getOrCreate(windows, window.id, () => new Map<string, Cells>());
    return getOrCreate(keys, keyId, () => new Cells());
  }

  /** Keys that have cells, once for each window: counted when asked. */
  keyCount(root: string): number {
    let count = 0;
    for (const keys of this.#roots.get(root)?.values() ?? []) count += keys.size;
    return count;
  }

  /** Whether the key has asked for its cells in the window, and they were not removed since. */
  has(root: string, keyId: string, window: Window): boolean {
    return this.#roots.get(root)?.get(window.id)?.has(keyId) ?? false;
  }

  /**
   * Removes the cells of a key and window if there is nothing in them; false if something is. Whoever still
   * holds such cells must ask for them again.
   */
  removeIfEmpty(root: string, keyId: string, window: Window): boolean {
    const cells = this.#roots.get(root)?.get(window.id)?.get(keyId);
    if (cells !== undefined && !cells.isEmpty) return false;
    if (cells !== undefined) this.remove(root, keyId, window);
    return true;
  }

  remove(root: string, keyId: string, window: Window): void {
    const windows = this.#roots.get(root);
    const keys = windows?.get(window.id);
    keys?.delete(keyId);
    if (keys?.size === 0) windows?.delete(window.id);
  }

  /** Whether any key has cells in the window. */
  hasWindow(root: string, window: Window): boolean {
    return this.#roots.get(root)?.has(window.id) ?? false;
  }

  /** Removes the cells of all keys in the window. */
  removeWindow(root: string, window: Window): void {
    this.#roots.get(root)?.delete(window.id);
  }
}

function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
