/** A key in a window of a stateful step, and its timers. */
import type { TimerFiring } from "./bundle.js";
import type { Window } from "./element.js";
import type { IndexedTimer } from "./timer-index.js";

export interface Cell {
  /** Of this run; part of its timers' ids. */
  readonly number: number;
  readonly keyId: string;
  readonly key: unknown;
  readonly window: Window;
  /** One of those that are set; the others follow it. */
  firstTimer: KeyedTimer | undefined;
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
