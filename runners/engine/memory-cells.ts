/** Cells of keyed state in memory, which know what of them is not in a record yet. */
import type { BagCell, KeyCells, MultimapCell } from "./key-cells.js";

/** Told when something in a cell changes. */
export interface ChangeListener {
  changed(): void;
}

export class ArrayBag implements BagCell {
  #values: unknown[] = [];
  /** Somebody holds the array: it is copied before the next change. */
  #shared = false;
  /** How many of the values are in chunks, records of their own; the others are in the key's record. */
  #inChunks = 0;
  #chunks = 0;
  /** Chunks of values that were replaced. */
  #chunksGone = 0;

  constructor(
    readonly stateId: string,
    private readonly listener?: ChangeListener | undefined,
  ) {}

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
    this.listener?.changed();
  }

  set(values: readonly unknown[]): void {
    this.#replace([...values]);
  }

  clear(): void {
    this.#replace([]);
  }

  get chunks(): number {
    return this.#chunks;
  }

  /** Takes values of an earlier process: those in chunks, in order, and then the others. */
  restore(values: readonly unknown[], chunks: number): void {
    for (const value of values) this.#values.push(value);
    if (chunks === 0) return;
    this.#chunks = chunks;
    this.#inChunks = this.#values.length;
  }

  /** Values that are in no chunk. */
  rest(): readonly unknown[] {
    return this.#inChunks === 0 ? this.#values : this.#values.slice(this.#inChunks);
  }

  /** The rest is a chunk from now on; its number. */
  moveRest(): number {
    this.#inChunks = this.#values.length;
    return this.#chunks++;
  }

  /** Every chunk is to be written anew. */
  forgetChunks(): void {
    this.#chunksGone = Math.max(this.#chunksGone, this.#chunks);
    this.#inChunks = 0;
    this.#chunks = 0;
  }

  /** How many of its first chunks are not its any more; from now on they are forgotten. */
  takeChunksGone(): number {
    const gone = this.#chunksGone;
    this.#chunksGone = 0;
    return gone;
  }

  #replace(values: unknown[]): void {
    this.#values = values;
    this.#shared = false;
    this.forgetChunks();
    this.listener?.changed();
  }
}

export interface MapEntry {
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
  /** Each entry is a record of its own, and not part of the key's. */
  isSpilled = false;

  constructor(
    readonly stateId: string,
    private readonly listener?: ChangeListener | undefined,
  ) {
    this.#unsaved = listener && new Set();
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

  /** All entries with the ids of their keys. */
  get all(): ReadonlyMap<string, MapEntry> {
    return this.#entries;
  }

  /** An entry of an earlier process; by order. */
  restore(keyId: string, entry: MapEntry): void {
    this.#entries.set(keyId, entry);
    this.#puts = entry.order + 1;
  }

  /** Map keys of entries that changed or went; from then on they are recorded. */
  takeUnsaved(): readonly string[] {
    const keyIds = [...(this.#unsaved ?? [])];
    this.#unsaved?.clear();
    return keyIds;
  }

  /** Map keys of which there may be records. */
  *recorded(): Generator<string> {
    yield* this.#entries.keys();
    if (this.#unsaved !== undefined) yield* this.#unsaved;
  }

  #note(keyId: string): void {
    this.#unsaved?.add(keyId);
    this.listener?.changed();
  }
}

const NO_BAGS: readonly ArrayBag[] = [];
const NO_MULTIMAPS: readonly KeyedMultimap[] = [];

/** State of a key in a window. */
export class Cells implements KeyCells {
  // A step has few states, and there are many keys: to look through a list costs nothing, a map by name much memory.
  #bags: ArrayBag[] | undefined;
  #multimaps: KeyedMultimap[] | undefined;

  constructor(private readonly listener?: ChangeListener | undefined) {}

  get bags(): readonly ArrayBag[] {
    return this.#bags ?? NO_BAGS;
  }

  get multimaps(): readonly KeyedMultimap[] {
    return this.#multimaps ?? NO_MULTIMAPS;
  }

  get isEmpty(): boolean {
    for (const bag of this.bags) if (bag.size > 0) return false;
    for (const multimap of this.multimaps) if (!multimap.isEmpty) return false;
    return true;
  }

  bag(stateId: string): ArrayBag {
    for (const bag of this.bags) if (bag.stateId === stateId) return bag;
    const bag = new ArrayBag(stateId, this.listener);
    if (this.#bags === undefined) this.#bags = [bag];
    else this.#bags.push(bag);
    return bag;
  }

  multimap(stateId: string): KeyedMultimap {
    for (const multimap of this.multimaps) if (multimap.stateId === stateId) return multimap;
    const multimap = new KeyedMultimap(stateId, this.listener);
    if (this.#multimaps === undefined) this.#multimaps = [multimap];
    else this.#multimaps.push(multimap);
    return multimap;
  }
}
