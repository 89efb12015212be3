/**
 * The keys and windows of a stateful step that are alive, and when each window expires. Where there is a store of
 * their records, some of the keys are there alone, and come into memory when somebody asks for them.
 */
import type { ColdKeys } from "./durable/cold-keys.js";
import type { Window } from "./element.js";
import {
  type Cell,
  KeySlot,
  type LiveWindow,
  type SlotTracker,
  type TimerSetting,
  timersIn,
} from "./key-slot.js";
import { Cells } from "./memory-cells.js";
import { TimerIndex } from "./timer-index.js";
import { expiryMs } from "./window-expiry.js";

/** What a key costs in memory besides the bytes of its record, more or less. */
const SLOT_BYTES = 1_000;

/** The records of the keys and windows, if they have any. */
export interface SlotRecords extends SlotTracker {
  /** Has keys that are not in memory. */
  readonly cold: ColdKeys | undefined;
  /** The key goes, with all that it has. */
  remove(slot: KeySlot): void;
  /** Its state goes, with the records that it has beside the key's own. */
  spillGone(slot: KeySlot): void;
  windowChanged(live: LiveWindow): void;
  windowGone(live: LiveWindow): void;
  /** All keys in the window go, those too that are not in memory. */
  removeWindow(live: LiveWindow): void;
  coldRecord(windowId: string, keyId: string): Uint8Array | undefined;
  /** Keys in a window that have a cell to expire, by its number. */
  coldNumbers(windowId: string): Iterable<{ readonly number: number; readonly keyId: string }>;
  /** Brings a key of the store into its slot; its timers are for whoever keeps them. */
  decode(slots: KeySlots, slot: KeySlot, record: Uint8Array): readonly TimerSetting[];
}

/** Told of keys that come into memory and that leave it again. */
export interface SlotResidence {
  loaded(cell: Cell, timers: readonly TimerSetting[]): void;
  leaving(cells: readonly Cell[]): void;
}

export class KeySlots {
  readonly #windows = new TimerIndex<LiveWindow>();
  readonly #allowedLatenessMs: number;
  readonly #expires: boolean;
  readonly #records: SlotRecords | undefined;
  readonly #cold: ColdKeys | undefined;
  /** Set by whoever has the timers. */
  residence: SlotResidence | undefined;
  #numbers = 0;
  #windowsOpened = 0;
  #last: LiveWindow | undefined;
  #residentBytes = 0;
  /** Keys by window that are gone, while their records are still there. */
  readonly #gone = new Map<LiveWindow, Set<string>>();

  /** @param expires whether keys are told when their window expires: their cells' order is kept for that */
  constructor(allowedLatenessMs: number, expires = false, records?: SlotRecords | undefined) {
    this.#allowedLatenessMs = allowedLatenessMs;
    this.#expires = expires;
    this.#records = records;
    this.#cold = records?.cold;
  }

  get liveWindows(): Iterable<LiveWindow> {
    return this.#windows.all();
  }

  /** All keys in memory. */
  *all(): Generator<KeySlot> {
    for (const { slots } of this.#windows.all()) yield* slots.values();
  }

  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  /** Keys in all windows, and timers of those that are not in memory: counted when asked. */
  get counts(): { readonly keys: number; readonly coldTimers: number } {
    let keys = 0;
    let coldTimers = 0;
    for (const live of this.#windows.all()) {
      keys += live.slots.size + live.cold;
      coldTimers += live.coldTimers;
    }
    return { keys, coldTimers };
  }

  /** The next cell's number. */
  get numbers(): number {
    return this.#numbers;
  }

  /** The expiry of the window that expires next. */
  get nextExpiryMs(): number | undefined {
    return this.#windows.peek()?.fireAtMs;
  }

  /** The state of a key; it comes into being here. */
  cells(keyId: string, window: Window): Cells {
    const slot = this.#getOrCreate(keyId, window);
    slot.cells ??= new Cells(this.#records && slot);
    return slot.cells;
  }

  /** The cell; it comes into being here. */
  cellOf(keyId: string, key: unknown, window: Window): Cell {
    const slot = this.#getOrCreate(keyId, window);
    return slot.cell ?? this.#addCell(slot, key);
  }

  /** Whether the key is in its record alone. */
  isCold(keyId: string, windowId: string): boolean {
    const live = this.#windows.get(windowId);
    return live !== undefined && live.cold > 0 && !live.slots.has(keyId) && !this.#isGone(live, keyId);
  }

  /** A key that is in memory. */
  resident(keyId: string, windowId: string): KeySlot | undefined {
    return this.#windows.get(windowId)?.slots.get(keyId);
  }

  /** A key, wherever it is. */
  find(keyId: string, windowId: string): KeySlot | undefined {
    const live = this.#live(windowId);
    return live && (live.slots.get(keyId) ?? this.#load(live, keyId));
  }

  /** Its last items are going to be processed. */
  close(cell: Cell): void {
    if (cell.isClosing) return;
    cell.isClosing = true;
    cell.slot.changed();
  }

  /** Its state is empty, and goes. */
  dropCells(slot: KeySlot): void {
    if (slot.cells === undefined) return;
    this.#records?.spillGone(slot);
    slot.cells = undefined;
    this.#removeIfNothing(slot);
  }

  /** Its cell goes, without timers. */
  dropCell(slot: KeySlot): void {
    if (slot.cell === undefined) return;
    slot.cell = undefined;
    slot.live.numbered.delete(slot.keyId);
    slot.changed();
    this.#removeIfNothing(slot);
  }

  /** Forgets a key, and with the last one of a window the window. */
  remove(slot: KeySlot): void {
    const { live } = slot;
    if (this.#cold !== undefined && slot.isRecorded) this.#noteGone(live, slot.keyId);
    this.#records?.remove(slot);
    this.#leave(slot);
    if (live.slots.size > 0 || live.cold > 0) this.#records?.windowChanged(live);
    else this.#forget(live);
  }

  /** At most `max` cells of windows that have expired, by expiry. */
  expired(watermarkMs: number, max: number): Cell[] {
    const cells: Cell[] = [];
    this.#windows.take((live) => {
      if (live.fireAtMs >= watermarkMs || cells.length >= max) return "stop";
      for (const { cell } of this.#closing(live, max - cells.length)) cells.push(cell!);
      return "skip";
    });
    return cells;
  }

  /** Forgets the next window that has expired, with all that is in it. */
  popExpired(watermarkMs: number): LiveWindow | undefined {
    const next = this.#windows.peek();
    if (next === undefined || next.fireAtMs >= watermarkMs) return undefined;
    this.#records?.removeWindow(next);
    for (const slot of next.slots.values()) {
      slot.isGone = true;
      this.#residentBytes -= weightOf(slot);
    }
    this.#forget(next);
    return next;
  }

  /** Takes a window of an earlier process; by order. */
  restoreWindow(window: Window, order: number, recorded: number, recordedTimers: number): void {
    this.#windowsOpened = order;
    const live = this.#open(window);
    live.recorded = recorded;
    live.recordedTimers = recordedTimers;
    if (this.#cold === undefined) return;
    live.cold = recorded;
    live.coldTimers = recordedTimers;
  }

  /** Cells that come have a higher number than those before. */
  restoreNumbers(numbers: number): void {
    this.#numbers = Math.max(this.#numbers, numbers);
  }

  /** Takes a key of an earlier process, when its window is there. @throws when it is not */
  restoreSlot(windowId: string, keyId: string): KeySlot {
    const live = this.#windows.get(windowId);
    if (live === undefined) throw new Error(`state has a key in window ${windowId}, but not the window`);
    return this.#add(live, keyId);
  }

  /** Takes the cell of a key; by number, where all are in memory. */
  restoreCell(slot: KeySlot, key: unknown, number: number, isClosing: boolean): Cell {
    const cell = newCell(number, key, slot, isClosing);
    slot.cell = cell;
    if (this.#expires) slot.live.numbered.set(slot.keyId, slot);
    this.restoreNumbers(number + 1);
    return cell;
  }

  /** A delta says what has gone: the store will know, too, before anything else is done. */
  written(): void {
    this.#gone.clear();
  }

  /** The size of a key's record is another one. */
  resized(slot: KeySlot, bytes: number): void {
    this.#residentBytes += bytes - slot.bytes;
    slot.bytes = bytes;
  }

  /**
   * Lets go of keys that the store has as they are, least recently used ones first as far as is known, until what is
   * left takes about this much memory.
   */
  release(bytesMax: number): void {
    const { residence } = this;
    if (this.#cold === undefined || residence === undefined) return;
    const leaving: Cell[] = [];
    for (const areUsedKept of [true, false]) {
      for (const live of this.#windows.all()) {
        // With each commit, and there may be many windows.
        if (this.#residentBytes <= bytesMax) break;
        for (const slot of live.slots.values()) {
          if (this.#residentBytes <= bytesMax) break;
          if (slot.isChanged || !slot.isRecorded || slot.delta > this.#cold.given) continue;
          if (slot.wasUsed && areUsedKept) slot.wasUsed = false;
          else this.#evict(slot, leaving);
        }
      }
    }
    residence.leaving(leaving);
  }

  #evict(slot: KeySlot, leaving: Cell[]): void {
    const { live, cell } = slot;
    if (cell !== undefined) leaving.push(cell);
    this.#leave(slot);
    live.cold++;
    live.coldTimers += timersIn(slot);
  }

  #leave(slot: KeySlot): void {
    const { live, keyId } = slot;
    this.#residentBytes -= weightOf(slot);
    live.slots.delete(keyId);
    live.numbered.delete(keyId);
    slot.isGone = true;
  }

  #getOrCreate(keyId: string, window: Window): KeySlot {
    const live = this.#live(window.id) ?? this.#openNew(window);
    const slot = live.slots.get(keyId) ?? this.#load(live, keyId);
    if (slot === undefined) return this.#add(live, keyId);
    slot.wasUsed = true;
    return slot;
  }

  #add(live: LiveWindow, keyId: string): KeySlot {
    const slot = new KeySlot(live, keyId, this.#records);
    live.slots.set(keyId, slot);
    this.#residentBytes += weightOf(slot);
    return slot;
  }

  #addCell(slot: KeySlot, key: unknown): Cell {
    const number = this.#numbers++;
    const cell = newCell(number, key, slot, false);
    slot.cell = cell;
    if (this.#expires) slot.live.numbered.set(slot.keyId, slot);
    slot.changed();
    return cell;
  }

  #load(live: LiveWindow, keyId: string): KeySlot | undefined {
    if (this.#records === undefined || live.cold === 0 || this.#isGone(live, keyId)) return undefined;
    const bytes = this.#records.coldRecord(live.id, keyId);
    if (bytes === undefined) return undefined;
    const slot = this.#add(live, keyId);
    const timers = this.#records.decode(this, slot, bytes);
    live.cold--;
    live.coldTimers -= timersIn(slot);
    if (slot.cell !== undefined) this.residence?.loaded(slot.cell, timers);
    return slot;
  }

  /** The next cells of an expired window, in their order. */
  *#closing(live: LiveWindow, max: number): Generator<KeySlot> {
    if (this.#cold === undefined) {
      yield* first(live.numbered.values(), max);
      return;
    }
    const firstUnloaded = this.#loadNumbered(live, max);
    const known = [...live.numbered.values()].sort((a, b) => a.cell!.number - b.cell!.number);
    yield* first(
      known.filter(({ cell }) => cell!.number < firstUnloaded),
      max,
    );
  }

  /** Brings the next cells of a window into memory. Returns the number of the first that is not there. */
  #loadNumbered(live: LiveWindow, max: number): number {
    let loaded = 0;
    const found = live.cold === 0 ? [] : this.#records!.coldNumbers(live.id);
    for (const { number, keyId } of found) {
      if (live.slots.has(keyId)) continue;
      if (loaded >= max) return number;
      if (this.#load(live, keyId) !== undefined) loaded++;
    }
    return Number.POSITIVE_INFINITY;
  }

  #noteGone(live: LiveWindow, keyId: string): void {
    const gone = this.#gone.get(live);
    if (gone === undefined) this.#gone.set(live, new Set([keyId]));
    else gone.add(keyId);
  }

  #isGone(live: LiveWindow, keyId: string): boolean {
    return this.#gone.size > 0 && this.#gone.get(live)?.has(keyId) === true;
  }

  #removeIfNothing(slot: KeySlot): void {
    if (slot.cells === undefined && slot.cell === undefined) this.remove(slot);
  }

  #live(windowId: string): LiveWindow | undefined {
    // Items come in runs of the same window.
    if (this.#last?.id === windowId) return this.#last;
    const live = this.#windows.get(windowId);
    if (live !== undefined) this.#last = live;
    return live;
  }

  #openNew(window: Window): LiveWindow {
    const live = this.#open(window);
    this.#records?.windowChanged(live);
    return live;
  }

  #open(window: Window): LiveWindow {
    const fireAtMs = expiryMs(window, this.#allowedLatenessMs);
    const live: LiveWindow = {
      ...{ id: window.id, fireAtMs, window, order: this.#windowsOpened++ },
      ...{ slots: new Map(), numbered: new Map(), cold: 0, coldTimers: 0, recorded: 0, recordedTimers: 0 },
    };
    this.#windows.set(live);
    return live;
  }

  #forget(live: LiveWindow): void {
    this.#windows.delete(live.id);
    if (this.#last === live) this.#last = undefined;
    this.#records?.windowGone(live);
  }
}

function newCell(number: number, key: unknown, slot: KeySlot, isClosing: boolean): Cell {
  const none = { firstTimer: undefined, timerCount: 0, timersByName: undefined, firing: undefined };
  return { number, key, slot, isClosing, ...none };
}

function weightOf({ bytes }: KeySlot): number {
  return SLOT_BYTES + bytes;
}

function* first<T>(items: Iterable<T>, max: number): Generator<T> {
  let left = max;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
