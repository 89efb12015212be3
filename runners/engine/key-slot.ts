/** What a stateful step keeps of one key in one window: its state, and its cell with the timers. */

import type { TimerFiring } from "./bundle.js";
import { type KeyPlaces, NO_PLACES } from "./durable/cold-keys.js";
import type { Window } from "./element.js";
import type { Cells } from "./memory-cells.js";
import type { HeapTimer } from "./timer-heap.js";

export interface LiveWindow {
  readonly id: string;
  /** The expiry. */
  readonly fireAtMs: number;
  readonly window: Window;
  /** Those that expire at the same time do so in this order. */
  readonly order: number;
  /** Its keys that are in memory. */
  readonly slots: Map<string, KeySlot>;
  /** Those of them that have cells, in the order of these. */
  readonly numbered: Map<string, KeySlot>;
  /** Its keys that are in records alone, and their timers. */
  cold: number;
  coldTimers: number;
  /** Its keys that have a record, and their timers. */
  recorded: number;
  recordedTimers: number;
}

/** Told when something of a key has changed that is to be recorded. */
export interface SlotTracker {
  changed(slot: KeySlot): void;
}

/** Timers that its record has. */
export function timersIn({ places }: KeySlot): number {
  let count = 0;
  for (const { order } of places.timers) if (order !== "hold") count++;
  return count;
}

export class KeySlot {
  cells: Cells | undefined;
  cell: Cell | undefined;
  /** It has changed since its last record. */
  isChanged = false;
  isRecorded = false;
  /** It was removed, or is in its record alone: nobody may change it any more. */
  isGone = false;
  /** Since it was last looked at whether it could be let go of. */
  wasUsed = true;
  /** As of its last record: bytes, places of its timers, which of the deltas that the store is given has it. */
  bytes = 0;
  places: KeyPlaces = NO_PLACES;
  delta = 0;
  /** Names its records beside the first one, once there are any. */
  spill: number | undefined;

  constructor(
    readonly live: LiveWindow,
    readonly keyId: string,
    private readonly tracker: SlotTracker | undefined,
  ) {}

  changed(): void {
    if (this.isChanged || this.isGone || this.tracker === undefined) return;
    this.isChanged = true;
    this.tracker.changed(this);
  }
}

export interface Cell {
  /** No two of a step have the same. */
  readonly number: number;
  readonly key: unknown;
  readonly slot: KeySlot;
  /** One of those that are set; the others follow it. */
  firstTimer: KeyedTimer | undefined;
  timerCount: number;
  /** Where it has many: those that are set, by family and tag. */
  timersByName: Map<string, KeyedTimer> | undefined;
  /** Being processed: set until that is done, if it is not set again. */
  firing: KeyedTimer | undefined;
  /** Its last items are being processed: it takes no timers any more. */
  isClosing: boolean;
}

export interface KeyedTimer extends HeapTimer, TimerFiring {
  readonly cell: Cell;
  /** Where the output watermark waits for it; undefined: it does not. */
  readonly holdMs: number | undefined;
  /** Neighbours in the list of the cell's timers: an array a cell would cost more than the timer itself. */
  previous: KeyedTimer | undefined;
  next: KeyedTimer | undefined;
}

/** A timer as it was set, apart from whose it is. */
export type TimerSetting = Omit<KeyedTimer, "cell" | "place" | "previous" | "next">;

/** All that a cell has set or is firing, in the order of their setting. */
export function timersOf(cell: Cell): KeyedTimer[] {
  const timers: KeyedTimer[] = [];
  for (let timer = cell.firstTimer; timer !== undefined; timer = timer.next) timers.push(timer);
  const { firing } = cell;
  // What was set again while it fires is what the next process goes on with.
  if (firing !== undefined && !timers.some((timer) => isNamed(timer, firing.family, firing.tag)))
    timers.push(firing);
  return timers.length > 1 ? timers.sort((a, b) => a.order - b.order) : timers;
}

/** Of the timers of a cell no two have the same name. */
export function isNamed(timer: KeyedTimer, family: string, tag: string): boolean {
  return timer.family === family && timer.tag === tag;
}
