/** Cells of keyed state in memory, which know what of them is not in a record yet. */
import type { BagCell, KeyCells, MultimapCell } from "./key-cells.js";

/** A bag that was written is written anew as a whole: it was replaced. */
const REPLACED = -1;

/** Values of a bag that are in no record yet, and which of its chunks are gone. */
export interface BagChange {
  readonly chunksGone: number;
  /** Number of the chunk that the values are to be; undefined: there are none. */
  readonly chunk: number | undefined;
  readonly values: readonly unknown[];
}

export class ArrayBag implements BagCell {
  #values: unknown[] = [];
  /** Somebody holds the array: it is copied before the next change. */
  #shared = false;
  /** How many of the values are in records, and in how many records. */
  #saved = 0;
  #chunks = 0;

  constructor(private readonly changed?: (() => void) | undefined) {}

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
    this.changed?.();
  }

  set(values: readonly unknown[]): void {
    this.#replace([...values]);
  }

  clear(): void {
    this.#replace([]);
  }

  /** Chunks of an earlier process, in order. */
  restore(values: readonly unknown[], chunk: number): void {
    this.#values.push(...values);
    this.#saved = this.#values.length;
    this.#chunks = chunk + 1;
  }

  /** What is to be recorded; from then on it is. With `isFull`, all values. */
  takeChange(isFull: boolean): BagChange {
    const chunksGone = this.#saved === REPLACED || isFull ? this.#chunks : 0;
    if (this.#saved === REPLACED || isFull) {
      this.#saved = 0;
      this.#chunks = 0;
    }
    const values = this.#values.slice(this.#saved);
    this.#saved = this.#values.length;
    return { chunksGone, chunk: values.length > 0 ? this.#chunks++ : undefined, values };
  }

  /** Number of its records. */
  get chunks(): number {
    return this.#chunks;
  }

  #replace(values: unknown[]): void {
    this.#values = values;
    this.#shared = false;
    this.#saved = REPLACED;
    this.changed?.();
  }
}

interface MapEntry {
  readonly key: unknown;
  readonly values: readonly unknown[];
  /** Entries come in this order. */
  readonly order: number;
}

export class KeyedMultimap implements MultimapCell {
  readonly #entries = new Map<string, MapEntry>();
  /** Map keys whose entries have changed since the last record of them; undefined where nothing is recorded. */
  readonly #unsaved: Set<string> | undefined;
  #puts = 0;

  constructor(private readonly changed?: (() => void) | undefined) {
    this.#unsaved = changed && new Set();
  }

  get(keyId: string): readonly unknown[] {
    return this.#entries.get(keyId)?.values ?? [];
  }

  put(keyId: string, key: unknown, values: readonly unknown[]): void {
    // The map itself keeps the order: it has to be told only where it is recorded.
    const order = this.#unsaved === undefined ? 0 : (this.#entries.get(keyId)?.order ?? this.#puts++);
    this.#entries.set(keyId, { key, values, order });
    this.#note(keyId);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  remove(keyId: string): void {
    if (this.#entries.delete(keyId)) this.#note(keyId);
  }

  clear(): void {
    if (this.#unsaved !== undefined) for (const keyId of this.#entries.keys()) this.#note(keyId);
    this.#entries.clear();
  }

  entries(): Iterable<readonly [unknown, readonly unknown[]]> {
    return Array.from(this.#entries.values(), ({ key, values }) => [key, values] as const);
  }

  /** An entry of an earlier process; by order. */
  restore(keyId: string, entry: MapEntry): void {
    this.#entries.set(keyId, entry);
    this.#puts = entry.order + 1;
  }

  /** Entries that changed, undefined where they are gone; from then on they are recorded. With `isFull`, all. */
  takeChanges(isFull: boolean): (readonly [string, MapEntry | undefined])[] {
    const keyIds = isFull ? [...this.#entries.keys()] : [...(this.#unsaved ?? [])];
    this.#unsaved?.clear();
    return keyIds.map((keyId) => [keyId, this.#entries.get(keyId)] as const);
  }

  /** Map keys of which there may be records. */
  *recorded(): Generator<string> {
    yield* this.#entries.keys();
    if (this.#unsaved !== undefined) yield* this.#unsaved;
  }

  #note(keyId: string): void {
    this.#unsaved?.add(keyId);
    this.changed?.();
  }
}

/** Whose cells they are, where they have records. */
export interface CellsOwner {
  readonly root: string;
  readonly windowId: string;
  readonly keyId: string;
  /** Told when something in them changes. */
  readonly records: { changed(cells: Cells): void };
}

export class Cells implements KeyCells {
  readonly bags = new Map<string, ArrayBag>();
  readonly multimaps = new Map<string, KeyedMultimap>();
  readonly #changed: (() => void) | undefined;

  constructor(readonly owner?: CellsOwner | undefined) {
    this.#changed = owner && (() => owner.records.changed(this));
  }

  get isEmpty(): boolean {
    for (const bag of this.bags.values()) if (bag.size > 0) return false;
    for (const multimap of this.multimaps.values()) if (!multimap.isEmpty) return false;
    return true;
  }

  bag(stateId: string): ArrayBag {
    let cell = this.bags.get(stateId);
    if (cell === undefined) {
      cell = new ArrayBag(this.#changed);
      this.bags.set(stateId, cell);
    }
    return cell;
  }

  multimap(stateId: string): KeyedMultimap {
    let cell = this.multimaps.get(stateId);
    if (cell === undefined) {
      cell = new KeyedMultimap(this.#changed);
      this.multimaps.set(stateId, cell);
    }
    return cell;
  }
}
