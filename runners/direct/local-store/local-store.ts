/**
 * The state of a pipeline on this machine's disk: a view of what its commits have changed, so that a start need not read
 * all of it and not all of it need be in memory. What it is given waits in memory until there is much of it, and is then
 * one transaction of LMDB, together with the commit that it is as of.
 */
import type { RootDatabase } from "lmdb";
import type {
  ColdFound,
  ColdKeys,
  ColdOrderName,
  ColdPlace,
  KeyChange,
} from "../../engine/durable/cold-keys.js";
import { NO_PLACES } from "../../engine/durable/cold-keys.js";
import { placesIn } from "../../engine/durable/key-record.js";
import {
  KEY_BAG_RECORD,
  KEY_MAP_RECORD,
  KEY_RECORD,
  KEY_WINDOW_RECORD,
  recordKey,
  recordNameOf,
  type StateDelta,
  type StateRecord,
} from "../../engine/durable/state-record.js";
import {
  behind,
  keyText,
  numberKey,
  numberOf,
  orderEnd,
  partOf,
  partStart,
  placeKey,
  placeOf,
  slotKey,
  textAndValue,
  valueIn,
  windowNoOf,
  windowStart,
  withText,
} from "./store-keys.js";
import { BufferedTable, type StoreTable } from "./table.js";
import { WindowNumbers } from "./window-numbers.js";

/** A commit: no two have the same. */
export interface StorePosition {
  readonly runId: string;
  readonly epoch: number;
}

/** How far somebody has read all of it. */
export interface ReadPlace {
  readonly table: number;
  readonly after: Buffer | undefined;
}

/** What waits in memory at the most. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;
const PAGE_BYTES = 4_096;
/** Pages that were split are half empty. */
const NEW_PAGES_FACTOR = 4;
/** For the tables themselves, and whoever else writes there meanwhile. */
const ROOM_BYTES = 4 * 1024 * 1024;
/** Records of windows that are gone are removed with each flush: as many as there are changes, or so many. */
const SWEPT_MIN = 20_000;

/** The disk has no room for what waits: to write into a file without room kills the process, without a word. */
export class StoreFullError extends Error {
  override readonly name = "StoreFullError";
  readonly code = "MILLRACE_STORE_FULL";

  constructor(directory: string, free: number, needed: number) {
    super(
      `the disk of the local store in ${directory} has ${free} bytes left, and to write what waits may take ${needed}: ` +
        "make room, or give --state-dir another place",
    );
  }
}

/** Where the store is, and what room there is. */
export interface StoreDisk {
  readonly directory: string;
  freeBytes(): number;
}

export class LocalStore implements ColdKeys {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #records: BufferedTable;
  readonly #keys: BufferedTable;
  readonly #parts: BufferedTable;
  readonly #order: BufferedTable;
  readonly #numbers: BufferedTable;
  readonly #windows: WindowNumbers;
  readonly #meta: StoreTable;
  readonly #disk: StoreDisk;
  readonly #waitingBytesMax: number;
  #given = 0;
  #position: StorePosition | undefined;
  #flushed: StorePosition | undefined;

  constructor(
    root: RootDatabase<Buffer, Buffer>,
    disk: StoreDisk,
    waitingBytesMax: number = WAITING_BYTES_MAX,
  ) {
    this.#root = root;
    this.#disk = disk;
    this.#waitingBytesMax = waitingBytesMax;
    const table = (name: string): StoreTable =>
      root.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" });
    this.#meta = table("meta");
    this.#records = new BufferedTable(table("records"));
    this.#keys = new BufferedTable(table("keys"));
    this.#parts = new BufferedTable(table("parts"));
    this.#order = new BufferedTable(table("order"));
    this.#numbers = new BufferedTable(table("numbers"));
    this.#windows = new WindowNumbers(table("windows"));
    const position = this.#meta.getBinary(POSITION);
    if (position !== undefined) this.#position = JSON.parse(position.toString()) as StorePosition;
    this.#flushed = this.#position;
  }

  /** The commit that it is as of; undefined: it is new. */
  get position(): StorePosition | undefined {
    return this.#position;
  }

  /** The commit that what is on disk is as of. */
  get flushed(): StorePosition | undefined {
    return this.#flushed;
  }

  get given(): number {
    return this.#given;
  }

  /** Whether so much waits in memory that it should be written. */
  get isFull(): boolean {
    return this.#waitingBytes >= this.#waitingBytesMax;
  }

  get #waitingBytes(): number {
    return this.#tables.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Takes what a commit has changed, in the order of commits. */
  apply(delta: StateDelta, position: StorePosition): void {
    this.change(delta);
    this.#given++;
    this.#position = position;
  }

  /** It is as of this commit, with all that has been changed. */
  moveTo(position: StorePosition): void {
    this.#position = position;
  }

  /** Takes changes, some of which it may have already: that changes nothing, once all have come. */
  change(delta: StateDelta): void {
    for (const window of delta.removedWindows ?? []) this.#windows.retire(window);
    const isTold = delta.keys !== undefined;
    for (const key of delta.removed) this.#remove(key, isTold);
    for (const { key, value } of delta.puts) this.#put(key, value, isTold);
    for (const change of delta.keys ?? []) this.#change(change);
    // Its keys are gone, one by one: a window without any is never heard of again.
    for (const key of delta.removed) {
      if (key.startsWith(WINDOW_PREFIX)) this.#windows.retire(key.slice(WINDOW_PREFIX.length));
    }
  }

  /** Writes what waits. With `isSynced`, it is on disk when the promise resolves, whatever happens to the machine. */
  async flush(isSynced = false): Promise<void> {
    this.flushNow();
    if (isSynced) await this.#root.flushed;
  }

  /** Writes what waits; the system may have it in its memory still. @throws StoreFullError */
  flushNow(): void {
    const changes = this.#tables.reduce((sum, table) => sum + table.changes, 0);
    const sweptMax = this.#windows.retired().length === 0 ? 0 : Math.max(SWEPT_MIN, changes);
    this.#refuseFullDisk(changes + sweptMax);
    this.#root.transactionSync(() => {
      for (const table of this.#tables) table.flush();
      this.#windows.flush();
      this.#sweep(sweptMax);
      if (this.#position !== undefined)
        this.#meta.putSync(POSITION, Buffer.from(JSON.stringify(this.#position)));
    });
    this.#flushed = this.#position;
  }

  /** What its file must have: all pages up to the last one that is in use. */
  get bytes(): number {
    const { lastPageNumber, root } = this.#root.getStats() as StoreStats;
    return (lastPageNumber + 1) * root.pageSize;
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  get(root: string, windowId: string, keyId: string): Uint8Array | undefined {
    const windowNo = this.#windows.find(root, windowId);
    if (windowNo === undefined) return undefined;
    const stored = this.#keys.get(slotKey(windowNo, keyText(keyId)));
    return stored && valueIn(stored);
  }

  chunk(
    root: string,
    windowId: string,
    spill: number,
    stateId: string,
    chunk: number,
  ): Uint8Array | undefined {
    const windowNo = this.#windows.find(root, windowId);
    if (windowNo === undefined) return undefined;
    return this.#parts.get(chunkKey(windowNo, spill, stateId, chunk));
  }

  *entries(
    root: string,
    windowId: string,
    spill: number,
    stateId: string,
  ): Generator<{ readonly mapKeyId: string; readonly value: Uint8Array }> {
    const windowNo = this.#windows.find(root, windowId);
    if (windowNo === undefined) return;
    const start = partStart(windowNo, "map", spill, stateId);
    for (const { key, value: stored } of this.#parts.range(start, behind(start))) {
      const { text, value } = textAndValue(key.subarray(start.length), stored);
      yield { mapKeyId: text, value };
    }
  }

  *inOrder(root: string, order: ColdOrderName, from: ColdPlace): Generator<ColdFound> {
    const rootNo = this.#windows.rootNo(root);
    const start = placeKey(rootNo, order, from);
    for (const { key, value } of this.#order.range(start, orderEnd(rootNo, order))) {
      const windowId = this.#windows.idOf(windowNoOf(value));
      if (windowId !== undefined) yield { ...placeOf(key), windowId, keyId: value.toString("utf8", 4) };
    }
  }

  *numbered(root: string, windowId: string): Generator<{ number: number; keyId: string }> {
    const windowNo = this.#windows.find(root, windowId);
    if (windowNo === undefined) return;
    const found = this.#numbers.range(windowStart(windowNo), windowStart(windowNo + 1));
    for (const { key, value } of found) yield { number: numberOf(key), keyId: value.toString() };
  }

  /** All records but those of keys, as they are on disk. */
  *restored(): Generator<StateRecord> {
    for (const { key, value: stored } of this.#records.onDisk(undefined)) {
      const { text, value } = textAndValue(key, stored);
      yield { key: text, value };
    }
  }

  /**
   * Records as they are on disk, from where an earlier call has ended, until these are so many bytes. Undefined as the
   * next place: that was all.
   */
  readOn(
    from: ReadPlace | undefined,
    bytesMax: number,
  ): { readonly records: StateRecord[]; readonly next: ReadPlace | undefined } {
    const records: StateRecord[] = [];
    let bytes = 0;
    const readers = [this.#recordOf, this.#keyRecordOf, this.#partRecordOf];
    const tables = [this.#records, this.#keys, this.#parts];
    for (let table = from?.table ?? 0; table < tables.length; table++) {
      for (const { key, value } of tables[table]!.onDisk(table === from?.table ? from.after : undefined)) {
        const record = readers[table]!.call(this, key, value);
        if (record === undefined) continue;
        records.push(record);
        bytes += record.key.length + record.value.length;
        if (bytes >= bytesMax) return { records, next: { table, after: Buffer.from(key) } };
      }
    }
    return { records, next: undefined };
  }

  get #tables(): readonly BufferedTable[] {
    return [this.#records, this.#keys, this.#parts, this.#order, this.#numbers];
  }

  #recordOf(key: Buffer, stored: Buffer): StateRecord {
    const { text, value } = textAndValue(key, stored);
    return { key: text, value };
  }

  #keyRecordOf(key: Buffer, stored: Buffer): StateRecord | undefined {
    const window = this.#windows.nameOf(windowNoOf(key));
    if (window === undefined) return undefined;
    const { text, value } = textAndValue(key.subarray(4), stored);
    return { key: recordKey(KEY_RECORD, window.root, window.windowId, text), value };
  }

  #partRecordOf(key: Buffer, stored: Buffer): StateRecord | undefined {
    const window = this.#windows.nameOf(windowNoOf(key));
    if (window === undefined) return undefined;
    const { root, windowId } = window;
    const { kind, spill, stateId, end } = partOf(key);
    if (kind === "bag") {
      const name = recordKey(KEY_BAG_RECORD, root, windowId, spill, stateId, end.readUInt32BE(0));
      return { key: name, value: stored };
    }
    const { text, value } = textAndValue(end, stored);
    return { key: recordKey(KEY_MAP_RECORD, root, windowId, spill, stateId, text), value };
  }

  /** @param isTold the delta tells of keys by themselves */
  #put(key: string, value: Uint8Array, isTold: boolean): void {
    if (key.startsWith(KEY_PREFIX)) {
      if (!isTold) this.#change(this.#changeOf(key, value));
      return;
    }
    if (isPart(key)) {
      const part = this.#partKeyOf(key);
      this.#parts.put(part.key, part.text === undefined ? Buffer.from(value) : withText(...part.text, value));
      return;
    }
    const { bytes, isWhole } = keyText(key);
    this.#records.put(bytes, withText(key, isWhole, value));
  }

  #remove(key: string, isTold: boolean): void {
    if (key.startsWith(KEY_PREFIX)) {
      if (!isTold) this.#change(this.#changeOf(key, undefined));
      return;
    }
    if (!isPart(key)) {
      this.#records.remove(keyText(key).bytes);
      return;
    }
    const { owner, parts } = recordNameOf(key);
    if (this.#windows.find(owner, parts[0]!) !== undefined) this.#parts.remove(this.#partKeyOf(key).key);
  }

  /** What a record alone says of a change: what it was before is here. */
  #changeOf(key: string, value: Uint8Array | undefined): KeyChange {
    const { owner, parts } = recordNameOf(key);
    const [windowId, keyId] = parts as [string, string];
    const stored = this.get(owner, windowId, keyId);
    return {
      ...{ root: owner, windowId, keyId, value },
      before: stored === undefined ? NO_PLACES : placesIn(stored),
      after: value === undefined ? NO_PLACES : placesIn(value),
    };
  }

  #change({ root, windowId, keyId, value, before, after }: KeyChange): void {
    // What a window that is gone had goes with it.
    if (value === undefined && this.#windows.find(root, windowId) === undefined) return;
    const windowNo = this.#windows.number(root, windowId);
    const rootNo = this.#windows.rootNo(root);
    const text = keyText(keyId);
    const key = slotKey(windowNo, text);
    if (value === undefined) this.#keys.remove(key);
    else this.#keys.put(key, withText(keyId, text.isWhole, value));
    for (const place of before.timers) this.#order.remove(placeKey(rootNo, place.order, place));
    if (after.timers.length > 0) {
      const whose = text.isWhole ? key : Buffer.concat([windowStart(windowNo), Buffer.from(keyId)]);
      for (const place of after.timers) this.#order.put(placeKey(rootNo, place.order, place), whose);
    }
    if (before.number === after.number) return;
    if (before.number !== undefined) this.#numbers.remove(numberKey(windowNo, before.number));
    if (after.number !== undefined) this.#numbers.put(numberKey(windowNo, after.number), Buffer.from(keyId));
  }

  /** Of a record beside the first of a key; the text where its value has it. */
  #partKeyOf(key: string): { readonly key: Buffer; readonly text: readonly [string, boolean] | undefined } {
    const { kind, owner, parts } = recordNameOf(key);
    const [windowId, spill, stateId, end] = parts as [string, string, string, string];
    const windowNo = this.#windows.number(owner, windowId);
    if (kind === KEY_BAG_RECORD) {
      return { key: chunkKey(windowNo, Number(spill), stateId, Number(end)), text: undefined };
    }
    const start = partStart(windowNo, "map", Number(spill), stateId);
    const { bytes, isWhole } = keyText(end, start.length);
    return { key: Buffer.concat([start, bytes]), text: [end, isWhole] };
  }

  /** Each change may take a page of its own, until every page that there is has been copied and new ones have come. */
  #refuseFullDisk(changes: number): void {
    if (changes === 0) return;
    const pagesBytes = this.bytes + NEW_PAGES_FACTOR * this.#waitingBytes;
    const needed = ROOM_BYTES + Math.min(changes * PAGE_BYTES, pagesBytes);
    const free = this.#disk.freeBytes();
    if (free < needed) throw new StoreFullError(this.#disk.directory, free, needed);
  }

  /** Within a transaction: removes some of what windows have left that are gone. */
  #sweep(max: number): void {
    let left = max;
    for (const { windowNo, rootNo } of this.#windows.retired()) {
      const [start, end] = [windowStart(windowNo), windowStart(windowNo + 1)];
      for (const { key, value } of [...take(this.#keys.range(start, end), left)]) {
        for (const place of placesIn(valueIn(value)).timers)
          this.#order.removeNow(placeKey(rootNo, place.order, place));
        this.#keys.removeNow(key);
        left--;
      }
      for (const table of [this.#numbers, this.#parts]) {
        for (const key of [...take(table.keysOnDisk(start, end), left)]) {
          table.removeNow(key);
          left--;
        }
      }
      if (left <= 0) return;
      this.#windows.forget(windowNo);
    }
  }
}

/** Of what LMDB says of its file. */
interface StoreStats {
  readonly lastPageNumber: number;
  readonly root: { readonly pageSize: number };
}

const POSITION = Buffer.from("position");
const KEY_PREFIX = `${KEY_RECORD} `;
const WINDOW_PREFIX = `${KEY_WINDOW_RECORD} `;
const PART_PREFIXES = [`${KEY_BAG_RECORD} `, `${KEY_MAP_RECORD} `];

function isPart(key: string): boolean {
  return PART_PREFIXES.some((prefix) => key.startsWith(prefix));
}

function chunkKey(windowNo: number, spill: number, stateId: string, chunk: number): Buffer {
  const end = Buffer.allocUnsafe(4);
  end.writeUInt32BE(chunk, 0);
  return Buffer.concat([partStart(windowNo, "bag", spill, stateId), end]);
}

function* take<T>(items: Iterable<T>, max: number): Generator<T> {
  let left = max;
  if (left <= 0) return;
  for (const item of items) {
    yield item;
    if (--left <= 0) return;
  }
}
