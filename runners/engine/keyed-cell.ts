/** A key in a window of a stateful step, and its timers. */
import type { TimerFiring } from "./bundle.js";
import type { KeySlot } from "./key-slot.js";
import type { IndexedTimer } from "./timer-index.js";

export interface Cell {
  /** Part of its timers' ids: no two of a step have the same. */
  readonly number: number;
  readonly key: unknown;
  readonly slot: KeySlot;
  /** One of those that are set; the others follow it. */
  firstTimer: KeyedTimer | undefined;
  /** Being processed: set until that is done, if it is not set again. */
  firing: KeyedTimer | undefined;
  /** Its last items are being processed: it takes no timers any more. */
  isClosing: boolean;
}

export interface KeyedTimer extends IndexedTimer, TimerFiring {
  readonly cell: Cell;
  /** Those due at the same time fire in this order. */
  readonly order: number;
  /** Where the output watermark waits for it; undefined: it does not. */
  readonly holdMs: number | undefined;
  /** Neighbours in the list of the cell's timers: an array a cell would cost more than the timer itself. */
  previous: KeyedTimer | undefined;
  next: KeyedTimer | undefined;
}

/** A timer as it was set, apart from whose it is. */
export type TimerSetting = Omit<KeyedTimer, "id" | "cell" | "previous" | "next">;

/** All that a cell has set or is firing, in the order of their setting. */
export function timersOf(cell: Cell): KeyedTimer[] {
  const timers: KeyedTimer[] = [];
  for (let timer = cell.firstTimer; timer !== undefined; timer = timer.next) timers.push(timer);
  const { firing } = cell;
  // What was set again while it fires is what the next process goes on with.
  if (firing !== undefined && timers.every(({ id }) => id !== firing.id)) timers.push(firing);
  return timers.length > 1 ? timers.sort((a, b) => a.order - b.order) : timers;
}
