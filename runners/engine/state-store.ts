/** Keyed state: cells by stage root, key, window and state id. */
import type { CellsRecords } from "./durable/cells-records.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { StateLog } from "./durable/state-log.js";
import type { Window } from "./element.js";
import type { KeyCells } from "./key-cells.js";
import { Cells } from "./memory-cells.js";

/** All state of one run, in memory. */
export class StateStore {
  /** By root, then window, then key: windows expire as a whole. */
  readonly #roots = new Map<string, Map<string, Map<string, Cells>>>();

  constructor(private readonly records?: CellsRecords | undefined) {}

  /** The cells of a key in a window; they come into being here. */
  cells(root: string, keyId: string, window: Window): KeyCells {
    return this.#cells(root, keyId, window.id);
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
    const cells = keys?.get(keyId);
    if (cells !== undefined) this.records?.remove(cells);
    keys?.delete(keyId);
    if (keys?.size === 0) windows?.delete(window.id);
  }

  /** Whether any key has cells in the window. */
  hasWindow(root: string, window: Window): boolean {
    return this.#roots.get(root)?.has(window.id) ?? false;
  }

  /** Removes the cells of all keys in the window. */
  removeWindow(root: string, window: Window): void {
    const windows = this.#roots.get(root);
    if (this.records !== undefined) {
      for (const cells of windows?.get(window.id)?.values() ?? []) this.records.remove(cells);
    }
    windows?.delete(window.id);
  }

  writeState(log: StateLog): void {
    this.records?.write(log, this.#all());
  }

  /** Of one step: its states' coders are known when it is. */
  restoreRoot(restored: RestoredState, root: string): void {
    this.records?.restore(restored, root, (keyId, windowId) => this.#cells(root, keyId, windowId));
  }

  *#all(): Generator<Cells> {
    for (const windows of this.#roots.values()) {
      for (const keys of windows.values()) yield* keys.values();
    }
  }

  #cells(root: string, keyId: string, windowId: string): Cells {
    const windows = getOrCreate(this.#roots, root, () => new Map<string, Map<string, Cells>>());
    const keys = getOrCreate(windows, windowId, () => new Map<string, Cells>());
    return getOrCreate(
      keys,
      keyId,
      () => new Cells(this.records && { root, windowId, keyId, records: this.records }),
    );
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
