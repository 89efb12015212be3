/** The keys and windows of a stateful step that are alive, and when each window expires. */
import type { TrackedItems } from "./durable/tracked-items.js";
import type { Window } from "./element.js";
import type { Cell } from "./keyed-cell.js";
import { TimerIndex } from "./timer-index.js";
import { expiryMs } from "./window-expiry.js";

export interface LiveWindow {
  readonly id: string;
  /** The expiry. */
  readonly fireAtMs: number;
  readonly window: Window;
  readonly cells: Map<string, Cell>;
  /** Those that expire at the same time do so in this order. */
  readonly order: number;
}

/** Told of windows and cells that come, change and go. */
export interface CellRecords {
  readonly windows: TrackedItems<LiveWindow>;
  readonly cells: TrackedItems<Cell>;
}

export class KeyedCells {
  readonly #windows = new TimerIndex<LiveWindow>();
  readonly #allowedLatenessMs: number;
  readonly #records: CellRecords | undefined;
  #count = 0;
  #windowsOpened = 0;

  constructor(allowedLatenessMs: number, records?: CellRecords | undefined) {
    this.#allowedLatenessMs = allowedLatenessMs;
    this.#records = records;
  }

  get liveWindows(): Iterable<LiveWindow> {
    return this.#windows.all();
  }

  *all(): Generator<Cell> {
    for (const { cells } of this.#windows.all()) yield* cells.values();
  }

  /** Takes a window of an earlier process; by order. */
  restoreWindow(window: Window, order: number): void {
    this.#windowsOpened = order;
    this.#open(window);
  }

  /** Takes a cell of an earlier process, when its window is there; by number. */
  restoreCell(keyId: string, key: unknown, windowId: string, number: number, isClosing: boolean): void {
    const live = this.#windows.get(windowId);
    if (live === undefined) throw new Error(`state has a key in window ${windowId}, but not the window`);
    const { cells, window } = live;
    cells.set(keyId, { number, keyId, key, window, firstTimer: undefined, isClosing });
    this.#count = number + 1;
  }

  /** Undefined where there is no such window or key in it. */
  find(keyId: string, windowId: string): Cell | undefined {
    return this.#windows.get(windowId)?.cells.get(keyId);
  }

  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  /** The expiry of the window that expires next. */
  get nextExpiryMs(): number | undefined {
    return this.#windows.peek()?.fireAtMs;
  }

  get(keyId: string, window: Window): Cell | undefined {
    return this.find(keyId, window.id);
  }

  /** Its last items are going to be processed. */
  close(cell: Cell): void {
    if (cell.isClosing) return;
    cell.isClosing = true;
    this.#records?.cells.put(cell);
  }

  /** The cell; it comes into being here. */
  getOrCreate(keyId: string, key: unknown, window: Window): Cell {
    const { cells } = this.liveWindow(window);
    let cell = cells.get(keyId);
    if (cell === undefined) {
      cell = { number: this.#count++, keyId, key, window, firstTimer: undefined, isClosing: false };
      cells.set(keyId, cell);
      this.#records?.cells.put(cell);
    }
    return cell;
  }

  /** Keeps a window in mind until it expires, with or without cells. */
  liveWindow(window: Window): LiveWindow {
    let live = this.#windows.get(window.id);
    if (live === undefined) {
      live = this.#open(window);
      this.#records?.windows.put(live);
    }
    return live;
  }

  #open(window: Window): LiveWindow {
    const fireAtMs = expiryMs(window, this.#allowedLatenessMs);
    const live = { id: window.id, fireAtMs, window, cells: new Map(), order: this.#windowsOpened++ };
    this.#windows.set(live);
    return live;
  }

  /** Forgets a cell, and with the last one of a window the window if nothing else is in it. */
  delete(cell: Cell, isWindowKept: boolean): void {
    const live = this.#windows.get(cell.window.id);
    if (live?.cells.delete(cell.keyId)) this.#records?.cells.remove(cell);
    if (live?.cells.size !== 0 || isWindowKept) return;
    this.#windows.delete(live.id);
    this.#records?.windows.remove(live);
  }

  /** At most `max` cells of windows that have expired, by expiry. */
  expired(watermarkMs: number, max: number): Cell[] {
    const cells: Cell[] = [];
    this.#windows.take(({ fireAtMs, cells: live }) => {
      if (fireAtMs >= watermarkMs || cells.length >= max) return "stop";
      for (const cell of live.values()) {
        if (cells.length >= max) break;
        cells.push(cell);
      }
      return "skip";
    });
    return cells;
  }

  /** Forgets the next window that has expired. */
  popExpired(watermarkMs: number): LiveWindow | undefined {
    const next = this.#windows.peek();
    if (next === undefined || next.fireAtMs >= watermarkMs) return undefined;
    this.#windows.delete(next.id);
    this.#records?.windows.remove(next);
    if (this.#records !== undefined) for (const cell of next.cells.values()) this.#records.cells.remove(cell);
    return next;
  }
}
