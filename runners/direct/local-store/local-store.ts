/**
 * The state of a pipeline on this machine's disk: a view of what its commits have changed, so that a start need not read
 * all of it and not all of it need be in memory. What it is given waits in memory until there is much of it, and is then
 * one transaction of LMDB, together with the commit that it is as of.
 */
import type { RootDatabase } from "lmdb";
import type { ColdFound, ColdKeys, ColdOrderName, ColdPlace } from "../../engine/durable/cold-keys.js";
import type { StateDelta, StateRecord } from "../../engine/durable/state-record.js";
import { StoreChanges, sweepWindows } from "./store-changes.js";
import {
  behind,
  chunkKey,
  numberOf,
  orderEnd,
  partStart,
  placeKey,
  placeOf,
  slotKey,
  textAndValue,
  valueIn,
  windowNoOf,
  windowStart,
} from "./store-keys.js";
import { type ReadPlace, StoreRecords } from "./store-records.js";
import { StoreTables } from "./store-tables.js";

/** A commit: no two have the same. */
export interface StorePosition {
  readonly runId: string;
  readonly epoch: number;
}

/** What waits in memory at the most. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;
/** So many times that, and what was given is written however little waits: until then a start has to read it again. */
const GIVEN_FACTOR = 4;
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
  readonly #tables: StoreTables;
  readonly #changes: StoreChanges;
  readonly #records: StoreRecords;
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
    this.#tables = new StoreTables(root);
    this.#changes = new StoreChanges(this.#tables);
    this.#records = new StoreRecords(this.#tables);
    const position = this.#tables.meta.getBinary(POSITION);
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

  /** Whether so much waits in memory, or was given since the last write, that it should be written. */
  get isFull(): boolean {
    const { bytes, givenBytes } = this.#tables;
    return bytes >= this.#waitingBytesMax || givenBytes >= GIVEN_FACTOR * this.#waitingBytesMax;
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
    this.#changes.take(delta);
  }

  /** Writes what waits. With `isSynced`, it is on disk when the promise resolves, whatever happens to the machine. */
  async flush(isSynced = false): Promise<void> {
    this.flushNow();
    if (isSynced) await this.#root.flushed;
  }

  /** Writes what waits; the system may have it in its memory still. @throws StoreFullError */
  flushNow(): void {
    const { changes, windows, meta } = this.#tables;
    const sweptMax = windows.retired().length === 0 ? 0 : Math.max(SWEPT_MIN, changes);
    this.#refuseFullDisk(changes + sweptMax);
    this.#root.transactionSync(() => {
      this.#tables.flush();
      sweepWindows(this.#tables, sweptMax);
      if (this.#position !== undefined) meta.putSync(POSITION, Buffer.from(JSON.stringify(this.#position)));
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
    const windowNo = this.#tables.windows.find(root, windowId);
    if (windowNo === undefined) return undefined;
    const stored = this.#tables.keys.get(slotKey(windowNo, keyId).key);
    return stored && valueIn(stored);
  }

  chunk(
    root: string,
    windowId: string,
    spill: number,
    stateId: string,
    chunk: number,
  ): Uint8Array | undefined {
    const windowNo = this.#tables.windows.find(root, windowId);
    if (windowNo === undefined) return undefined;
    return this.#tables.parts.get(chunkKey(windowNo, spill, stateId, chunk));
  }

  *entries(
    root: string,
    windowId: string,
    spill: number,
    stateId: string,
  ): Generator<{ readonly mapKeyId: string; readonly value: Uint8Array }> {
    const windowNo = this.#tables.windows.find(root, windowId);
    if (windowNo === undefined) return;
    const start = partStart(windowNo, "map", spill, stateId);
    for (const { key, value: stored } of this.#tables.parts.range(start, behind(start))) {
      const { text, value } = textAndValue(key.subarray(start.length), stored);
      yield { mapKeyId: text, value };
    }
  }

  *inOrder(root: string, order: ColdOrderName, from: ColdPlace): Generator<ColdFound> {
    const rootNo = this.#tables.windows.rootNo(root);
    const start = placeKey(rootNo, order, from);
    for (const { key, value } of this.#tables.order.range(start, orderEnd(rootNo, order))) {
      const windowId = this.#tables.windows.idOf(windowNoOf(value));
      if (windowId !== undefined) yield { ...placeOf(key), windowId, keyId: value.toString("utf8", 4) };
    }
  }

  *numbered(root: string, windowId: string): Generator<{ number: number; keyId: string }> {
    const windowNo = this.#tables.windows.find(root, windowId);
    if (windowNo === undefined) return;
    const found = this.#tables.numbers.range(windowStart(windowNo), windowStart(windowNo + 1));
    for (const { key, value } of found) yield { number: numberOf(key), keyId: value.toString() };
  }

  /** All records but those of keys, as they are on disk. */
  restored(): Iterable<StateRecord> {
    return this.#records.withoutKeys();
  }

  /**
   * Records as they are on disk, from where an earlier call has ended, until these are so many bytes. Undefined as the
   * next place: that was all.
   */
  readOn(
    from: ReadPlace | undefined,
    bytesMax: number,
  ): { readonly records: StateRecord[]; readonly next: ReadPlace | undefined } {
    return this.#records.readOn(from, bytesMax);
  }

  /**
   * Each change may take a page of its own besides its bytes, which may be many, until every page that there is has been
   * copied and new ones have come.
   */
  #refuseFullDisk(changes: number): void {
    if (changes === 0) return;
    const { bytes } = this.#tables;
    const needed = ROOM_BYTES + Math.min(bytes + changes * PAGE_BYTES, this.bytes + NEW_PAGES_FACTOR * bytes);
    const free = this.#disk.freeBytes();
    if (free < needed) throw new StoreFullError(this.#disk.directory, free, needed);
  }
}

/** Of what LMDB says of its file. */
interface StoreStats {
  readonly lastPageNumber: number;
  readonly root: { readonly pageSize: number };
}

const POSITION = Buffer.from("position");
