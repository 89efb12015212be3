/** The keys and windows of a stateful step that are alive, and when each window expires. */
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
}

export class KeyedCells {
  readonly #windows = new TimerIndex<LiveWindow>();
  readonly #allowedLatenessMs: number;
  #count = 0;

  constructor(allowedLatenessMs: number) {
    this.#allowedLatenessMs = allowedLatenessMs;
  }

  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  /** The expiry of the window that expires next. */
  get nextExpiryMs(): number | undefined {
    return this.#windows.peek()?.fireAtMs;
  }

  get(keyId: string, window: Window): Cell | undefined {
    return this.#windows.get(window.id)?.cells.get(keyId);
  }

  /** The cell; it comes into being here. */
  getOrCreate(keyId: string, key: unknown, window: Window): Cell {
    const { cells } = this.liveWindow(window);
    let cell = cells.get(keyId);
    if (cell === undefined) {
      cell = { number: this.#count++, keyId, key, window, firstTimer: undefined, isClosing: false };
      cells.set(keyId, cell);
    }
    return cell;
  }

  /** Keeps a window in mind until it expires, with or without cells. */
  liveWindow(window: Window): LiveWindow {
    let live = this.#windows.get(window.id);
    if (live === undefined) {
      const fireAtMs = expiryMs(window, this.#allowedLatenessMs);
      live = { id: window.id, fireAtMs, window, cells: new Map() };
      this.#windows.set(live);
    }
    return live;
  }

  /** Forgets a cell, and with the last one of a window the window if nothing else is in it. */
  delete(cell: Cell, isWindowKept: boolean): void {
    const live = this.#windows.get(cell.window.id);
    live?.cells.delete(cell.keyId);
    if (live?.cells.size === 0 && !isWindowKept) this.#windows.delete(live.id);
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
    return next !== undefined && next.fireAtMs < watermarkMs ? this.#windows.pop() : undefined;
  }
}
