/** Collects the records of one delta, node by node, and remembers whether there is anything to collect. */
import type { KeyChange } from "./cold-keys.js";
import { type StateDelta, type StateRecord, windowKey } from "./state-record.js";

/** Shared by all nodes: whether state has changed since the last delta, watermarks apart. */
export class StateChanges {
  #areThere = false;

  get areThere(): boolean {
    return this.#areThere;
  }

  note(): void {
    this.#areThere = true;
  }

  forget(): void {
    this.#areThere = false;
  }
}

export class StateLog {
  #isFull = false;
  #puts = new Map<string, Uint8Array>();
  #removed = new Set<string>();
  /** Of keys that are put once in a delta. */
  #putOnce: StateRecord[] = [];
  #removedWindows: string[] = [];
  #keys: KeyChange[] = [];
  /** Small records as they were last put. */
  readonly #small = new Map<string, string>();

  /** Everything is to be put, whether it changed or not, and nothing removed. */
  get isFull(): boolean {
    return this.#isFull;
  }

  begin(isFull: boolean): void {
    this.#isFull = isFull;
  }

  put(key: string, value: Uint8Array): void {
    this.#removed.delete(key);
    this.#puts.set(key, value);
  }

  /** For the many keys that nobody puts a second time in a delta, nor removes after this. */
  putOnce(key: string, value: Uint8Array): void {
    if (this.#removed.size > 0) this.#removed.delete(key);
    this.#putOnce.push({ key, value });
  }

  remove(key: string): void {
    this.#puts.delete(key);
    if (!this.#isFull) this.#removed.add(key);
  }

  /** All records of keys in the window go: before anything is put. */
  removeWindow(owner: string, windowId: string): void {
    if (!this.#isFull) this.#removedWindows.push(windowKey(owner, windowId));
  }

  /** A store of keys is told of this, besides the record itself. */
  tellStore(change: KeyChange): void {
    this.#keys.push(change);
  }

  /** For a small record that is easier compared than followed: put if it is not what it was. */
  putSmall(key: string, value: Uint8Array): void {
    const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1");
    if (!this.#isFull && this.#small.get(key) === text) return;
    this.#small.set(key, text);
    this.put(key, value);
  }

  take(): StateDelta {
    const puts = this.#putOnce;
    for (const [key, value] of this.#puts) puts.push({ key, value });
    const removed = [...this.#removed];
    const delta = { puts, removed, removedWindows: this.#removedWindows, keys: this.#keys };
    this.#puts = new Map();
    this.#putOnce = [];
    this.#removed = new Set();
    this.#removedWindows = [];
    this.#keys = [];
    return delta;
  }
}
