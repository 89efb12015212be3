/** Numbers of steps and of their windows, which stand for them in the keys of the local store; a number is given once. */
import { recordNameOf, windowKey } from "../../engine/durable/state-record.js";
import { keyText, textAndValue, withText } from "./store-keys.js";
import type { StoreTable } from "./table.js";

interface Named {
  readonly root: string;
  readonly windowId: string;
  readonly rootNo: number;
}

/** Kinds of entries: the first byte of their keys, and of the text that they are of. */
const WINDOW = "w";
const ROOT = "r";
/** A window that is gone, by its number: some of its records may still be there. */
const GONE = "g";

export class WindowNumbers {
  readonly #table: StoreTable;
  readonly #windows = new Map<string, number>();
  readonly #names = new Map<number, Named>();
  readonly #roots = new Map<string, number>();
  readonly #gone = new Map<number, number>();
  readonly #unsaved = new Map<string, number | undefined>();
  #next = 1;
  /** Keys come in runs of the same window. */
  #last: { readonly root: string; readonly windowId: string; readonly number: number } | undefined;

  constructor(table: StoreTable) {
    this.#table = table;
    const entries = Array.from(table.getRange({}), ({ key, value }) => textAndValue(key, value));
    // Steps before their windows.
    for (const kind of [ROOT, WINDOW, GONE]) {
      for (const { text, value } of entries) if (text[0] === kind) this.#load(text, value.readUInt32BE(0));
    }
  }

  find(root: string, windowId: string): number | undefined {
    const last = this.#last;
    if (last?.windowId === windowId && last.root === root) return last.number;
    const number = this.#windows.get(windowKey(root, windowId));
    if (number !== undefined) this.#last = { root, windowId, number };
    return number;
  }

  /** It is given here if there is none. */
  number(root: string, windowId: string): number {
    const known = this.find(root, windowId);
    if (known !== undefined) return known;
    const key = windowKey(root, windowId);
    const number = this.#next++;
    this.#add(key, number);
    this.#unsaved.set(WINDOW + key, number);
    return number;
  }

  rootNo(root: string): number {
    let number = this.#roots.get(root);
    if (number === undefined) {
      number = this.#next++;
      this.#roots.set(root, number);
      this.#unsaved.set(ROOT + root, number);
    }
    return number;
  }

  /** Undefined: the window is gone. */
  idOf(number: number): string | undefined {
    return this.#names.get(number)?.windowId;
  }

  nameOf(number: number): Named | undefined {
    return this.#names.get(number);
  }

  /** The window is gone; one of the same name is another one. */
  retire(key: string): void {
    const number = this.#windows.get(key);
    if (number === undefined) return;
    const { rootNo } = this.#names.get(number)!;
    this.#last = undefined;
    this.#windows.delete(key);
    this.#names.delete(number);
    this.#gone.set(number, rootNo);
    this.#unsaved.set(WINDOW + key, undefined);
    this.#unsaved.set(GONE + number, rootNo);
  }

  retired(): readonly { readonly windowNo: number; readonly rootNo: number }[] {
    return Array.from(this.#gone, ([windowNo, rootNo]) => ({ windowNo, rootNo }));
  }

  /** Within a transaction: nothing of the window is left. */
  forget(windowNo: number): void {
    this.#gone.delete(windowNo);
    this.#save(GONE + windowNo, undefined);
  }

  /** Within a transaction. */
  flush(): void {
    for (const [text, number] of this.#unsaved) this.#save(text, number);
    this.#unsaved.clear();
  }

  #load(text: string, number: number): void {
    const rest = text.slice(1);
    if (text[0] === WINDOW) this.#add(rest, number);
    else if (text[0] === ROOT) this.#roots.set(rest, number);
    else this.#gone.set(Number(rest), number);
    this.#next = Math.max(this.#next, number + 1, text[0] === GONE ? Number(rest) + 1 : 0);
  }

  #add(key: string, number: number): void {
    const { owner, parts } = recordNameOf(`window ${key}`);
    this.#windows.set(key, number);
    this.#names.set(number, { root: owner, windowId: parts[0]!, rootNo: this.rootNo(owner) });
  }

  #save(text: string, number: number | undefined): void {
    const { bytes, isWhole } = keyText(text);
    if (number === undefined) {
      this.#table.removeSync(bytes);
      return;
    }
    const value = Buffer.allocUnsafe(4);
    value.writeUInt32BE(number, 0);
    this.#table.putSync(bytes, withText(text, isWhole, value));
  }
}
