/** The timers of a stateful step, of both domains, and what they hold back. */
import type { TimerUpdate } from "./bundle.js";
import { type ColdOrder, isBefore } from "./cold-order.js";
import { HoldSet } from "./hold-set.js";
import { type Cell, isNamed, type KeyedTimer, type TimerSetting } from "./key-slot.js";
import { NO_PLACE, TimerHeap } from "./timer-heap.js";

type TimerSet = NonNullable<TimerUpdate["set"]>;

/** A bundle stops collecting timers when so many had to wait for an earlier one of their cell. */
const SKIPPED_MAX = 64;
/** To look through so many timers of a cell is no dearer than to keep them by name. */
const LISTED_MAX = 16;

/** The due timers of one bundle: at most one a cell, as each may set or clear the next. */
export class TimerBatch {
  readonly timers: KeyedTimer[] = [];
  readonly #cells = new Set<Cell>();
  #skipped = 0;

  constructor(readonly max: number) {}

  /** Takes due timers of a domain in their order. */
  take(index: TimerHeap<KeyedTimer>, isDue: (timer: KeyedTimer) => boolean): void {
    const taken = index.take((timer) => {
      if (!isDue(timer) || this.#cells.size >= this.max || this.#skipped >= SKIPPED_MAX) return "stop";
      if (this.#cells.has(timer.cell)) {
        this.#skipped++;
        return "skip";
      }
      this.#cells.add(timer.cell);
      return "take";
    });
    for (const timer of taken) {
      detach(timer);
      this.timers.push(timer);
    }
  }
}

/** Timers and holds of keys that are not in memory, and how such a key comes into it. */
export interface ColdTimers {
  readonly eventTime: ColdOrder;
  readonly processingTime: ColdOrder;
  readonly holds: ColdOrder;
  load(keyId: string, windowId: string): void;
}

export class KeyedTimers {
  readonly #eventTime = new TimerHeap<KeyedTimer>();
  readonly #processingTime = new TimerHeap<KeyedTimer>();
  readonly #holds = new HoldSet();
  #firing: KeyedTimer[] = [];
  #settings = 0;

  constructor(private readonly cold?: ColdTimers | undefined) {}

  /** The number that the next one is set with. */
  get settings(): number {
    return this.#settings;
  }

  restoreSettings(settings: number): void {
    this.#settings = Math.max(this.#settings, settings);
  }

  /** Takes the timers of a cell, as they were set before. */
  restore(cell: Cell, settings: readonly TimerSetting[]): void {
    for (const setting of settings) {
      this.#add(cell, setting);
      this.restoreSettings(setting.order + 1);
    }
  }

  /** The cell comes into memory again, with the timers of its record. */
  come(cell: Cell, settings: readonly TimerSetting[]): void {
    const { keyId, live } = cell.slot;
    for (const order of this.#orders()) order.came(keyId, live.id);
    this.restore(cell, settings);
  }

  /** The cells leave the memory: their records have their timers. */
  leave(cells: readonly Cell[]): void {
    const { eventTime, processingTime, holds } = this.cold!;
    const ofEventTime: KeyedTimer[] = [];
    const ofProcessingTime: KeyedTimer[] = [];
    for (const cell of cells) {
      for (let timer = cell.firstTimer; timer !== undefined; timer = timer.next) {
        const isOfEventTime = timer.domain === "event-time";
        (isOfEventTime ? ofEventTime : ofProcessingTime).push(timer);
        this.#release(timer);
        const { fireAtMs: ms, order: number, holdMs } = timer;
        (isOfEventTime ? eventTime : processingTime).left({ ms, number });
        if (holdMs !== undefined) holds.left({ ms: holdMs, number });
      }
    }
    this.#eventTime.removeAll(ofEventTime);
    this.#processingTime.removeAll(ofProcessingTime);
  }

  get isEmpty(): boolean {
    return this.nextEventTimeMs === undefined && this.nextProcessingTimeMs === undefined && !this.isFiring;
  }

  get isFiring(): boolean {
    return this.#firing.length > 0;
  }

  /** Timers in memory that are set, of both domains. */
  get size(): number {
    return this.#eventTime.size + this.#processingTime.size;
  }

  /** The earliest hold, of the timers that are firing too. */
  get holdMs(): number {
    return Math.min(this.#holds.minMs, this.cold?.holds.first?.ms ?? Number.POSITIVE_INFINITY);
  }

  get nextEventTimeMs(): number | undefined {
    return earlier(this.#eventTime.first?.fireAtMs, this.cold?.eventTime.first?.ms);
  }

  get nextProcessingTimeMs(): number | undefined {
    return earlier(this.#processingTime.first?.fireAtMs, this.cold?.processingTime.first?.ms);
  }

  /** Sets a timer of the cell, in place of what it was set to before. */
  set(cell: Cell, family: string, tag: string, setting: TimerSet, floorMs: number): void {
    if (Number.isNaN(setting.fireAtMs)) throw new Error(`timer ${family} cannot be set to NaN`);
    const { outputTimestampMs } = setting;
    const holdMs = outputTimestampMs === undefined ? undefined : Math.max(outputTimestampMs, floorMs);
    const { domain, fireAtMs } = setting;
    const order = this.#settings++;
    this.#add(cell, { family, tag, domain, fireAtMs, outputTimestampMs, holdMs, order });
    cell.slot.changed();
  }

  clear(cell: Cell, family: string, tag: string): void {
    const timer = timerOf(cell, family, tag);
    if (timer !== undefined) this.#forget(timer);
  }

  clearAll(cell: Cell): void {
    while (cell.firstTimer !== undefined) this.#forget(cell.firstTimer);
  }

  /** Takes event-time timers behind the watermark into the batch. */
  takeEventTime(batch: TimerBatch, watermarkMs: number): void {
    const { cold } = this;
    this.#take(batch, this.#eventTime, cold?.eventTime, (ms) => ms < watermarkMs);
  }

  /** Takes processing-time timers up to this time into the batch. */
  takeProcessingTime(batch: TimerBatch, processingTimeMs: number): void {
    const { cold } = this;
    this.#take(batch, this.#processingTime, cold?.processingTime, (ms) => ms <= processingTimeMs);
  }

  /** These are being processed: they are not set any more, but hold until `complete`. */
  fire(timers: KeyedTimer[]): void {
    this.#firing = timers;
    for (const timer of timers) timer.cell.firing = timer;
  }

  complete(): void {
    for (const timer of this.#firing) {
      this.#release(timer);
      timer.cell.firing = undefined;
      timer.cell.slot.changed();
    }
    this.#firing = [];
  }

  /** Those of keys in the store come into memory first, as many as a batch may take; the batch ends before the others. */
  #take(
    batch: TimerBatch,
    index: TimerHeap<KeyedTimer>,
    order: ColdOrder | undefined,
    isDue: (ms: number) => boolean,
  ): void {
    let next = order?.first;
    for (let loads = 0; next !== undefined && isDue(next.ms) && loads < batch.max; loads++) {
      this.cold!.load(next.keyId, next.windowId);
      next = order!.first;
    }
    batch.take(index, ({ fireAtMs: ms, order: number }) => {
      return isDue(ms) && (next === undefined || isBefore({ ms, number }, next));
    });
  }

  #add(cell: Cell, setting: TimerSetting): void {
    const { family, tag, domain, fireAtMs, outputTimestampMs, holdMs, order } = setting;
    const timer: KeyedTimer = {
      cell,
      family,
      tag,
      domain,
      fireAtMs,
      outputTimestampMs,
      holdMs,
      order,
      place: NO_PLACE,
      previous: undefined,
      next: undefined,
    };
    if (holdMs !== undefined) this.#holds.add(holdMs);
    const replaced = timerOf(cell, family, tag);
    if (replaced?.domain === domain) {
      // To take it out before would cost more, the more timers there are.
      this.#index(timer).replace(replaced, timer);
    } else {
      if (replaced !== undefined) this.#index(replaced).remove(replaced);
      this.#index(timer).add(timer);
    }
    if (replaced !== undefined) {
      this.#release(replaced);
      detach(replaced);
    }
    attach(timer);
  }

  #forget(timer: KeyedTimer): void {
    this.#index(timer).remove(timer);
    this.#release(timer);
    detach(timer);
    timer.cell.slot.changed();
  }

  #orders(): readonly ColdOrder[] {
    return this.cold === undefined ? [] : [this.cold.eventTime, this.cold.processingTime, this.cold.holds];
  }

  #release({ holdMs }: KeyedTimer): void {
    if (holdMs !== undefined) this.#holds.remove(holdMs);
  }

  #index({ domain }: KeyedTimer): TimerHeap<KeyedTimer> {
    return domain === "event-time" ? this.#eventTime : this.#processingTime;
  }
}

function timerOf(cell: Cell, family: string, tag: string): KeyedTimer | undefined {
  if (cell.timersByName !== undefined) return cell.timersByName.get(nameOf(family, tag));
  let timer = cell.firstTimer;
  while (timer !== undefined && !isNamed(timer, family, tag)) timer = timer.next;
  return timer;
}

function attach(timer: KeyedTimer): void {
  const { cell } = timer;
  timer.next = cell.firstTimer;
  if (timer.next !== undefined) timer.next.previous = timer;
  cell.firstTimer = timer;
  cell.timerCount++;
  if (cell.timersByName !== undefined) cell.timersByName.set(nameOf(timer.family, timer.tag), timer);
  else if (cell.timerCount > LISTED_MAX) cell.timersByName = byName(cell);
}

function detach({ cell, family, tag, previous, next }: KeyedTimer): void {
  if (previous === undefined) cell.firstTimer = next;
  else previous.next = next;
  if (next !== undefined) next.previous = previous;
  cell.timerCount--;
  cell.timersByName?.delete(nameOf(family, tag));
}

function byName(cell: Cell): Map<string, KeyedTimer> {
  const timers = new Map<string, KeyedTimer>();
  for (let timer = cell.firstTimer; timer !== undefined; timer = timer.next)
    timers.set(nameOf(timer.family, timer.tag), timer);
  return timers;
}

function nameOf(family: string, tag: string): string {
  return `${family.length}/${family}/${tag}`;
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
