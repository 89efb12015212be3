/** What a stateful step keeps of one key in one window: its state, and its cell with the timers. */
import { type KeyPlaces, NO_PLACES } from "./durable/cold-keys.js";
import type { Window } from "./element.js";
import type { Cell } from "./keyed-cell.js";
import type { Cells } from "./memory-cells.js";

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
  /** As of its last record: bytes, places of its timers, the generation of the store that did not have it yet. */
  bytes = 0;
  places: KeyPlaces = NO_PLACES;
  generation = 0;
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
