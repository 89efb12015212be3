/** The tables of a local store, and the numbers that stand for windows in their keys. */
import type { RootDatabase } from "lmdb";
import { BufferedTable, type StoreTable } from "./table.js";
import { WindowNumbers } from "./window-numbers.js";

export class StoreTables {
  /** All records but those of keys. */
  readonly records: BufferedTable;
  /** Records of keys by window. */
  readonly keys: BufferedTable;
  /** Records of keys beside the first one. */
  readonly parts: BufferedTable;
  /** Timers and holds. */
  readonly order: BufferedTable;
  /** Cells that are to be expired. */
  readonly numbers: BufferedTable;
  readonly windows: WindowNumbers;
  readonly meta: StoreTable;

  constructor(root: RootDatabase<Buffer, Buffer>) {
    const table = (name: string): StoreTable =>
      root.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" });
    this.meta = table("meta");
    this.records = new BufferedTable(table("records"));
    this.keys = new BufferedTable(table("keys"));
    this.parts = new BufferedTable(table("parts"));
    this.order = new BufferedTable(table("order"));
    this.numbers = new BufferedTable(table("numbers"));
    this.windows = new WindowNumbers(table("windows"));
  }

  /** What waits, and what it takes in memory. */
  get changes(): number {
    return this.#buffered.reduce((sum, { changes }) => sum + changes, 0);
  }

  get bytes(): number {
    return this.#buffered.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** What was given since the last flush, however little of it waits still. */
  get givenBytes(): number {
    return this.#buffered.reduce((sum, { givenBytes }) => sum + givenBytes, 0);
  }

  /** Within a transaction. */
  flush(): void {
    for (const table of this.#buffered) table.flush();
    this.windows.flush();
  }

  get #buffered(): readonly BufferedTable[] {
    return [this.records, this.keys, this.parts, this.order, this.numbers];
  }
}
