/**
 * The root of a stateful step. What comes first: the elements that have arrived, then due timers, then the
 * expiration of windows. Each kind has bundles of its own, so that an element may still move a timer that is due.
 */
import type { BundleInput, KeyedWork, TimerUpdate } from "./bundle.js";
import { ColdOrder } from "./cold-order.js";
import type { KeySlotRecords } from "./durable/key-slot-records.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { StateLog } from "./durable/state-log.js";
import { type Element, MAX_WATERMARK_MS, type Window } from "./element.js";
import type { KeyedRoot } from "./engine-graph.js";
import type { Cell, KeyedTimer } from "./key-slot.js";
import { KeySlots } from "./key-slots.js";
import { type ColdTimers, KeyedTimers, TimerBatch } from "./keyed-timers.js";
import { KeyedWorkList } from "./keyed-work.js";
import type { ProcessingTime } from "./processing-time.js";
import type { RootInput } from "./root-input.js";
import type { RootLoad, RootState } from "./root-state.js";
import { SortedInput } from "./sorted-input.js";
import type { StateStore } from "./state-store.js";
import type { Watermark } from "./watermark.js";

export interface KeyedRootParts {
  readonly spec: KeyedRoot;
  readonly input: RootInput;
  readonly state: StateStore;
  readonly stageWatermark: Watermark;
  readonly time: ProcessingTime;
  readonly records?: KeySlotRecords | undefined;
}

export class KeyedRootState implements RootState {
  readonly kind = "keyed";
  readonly input: RootInput;
  readonly #spec: KeyedRoot;
  readonly #stageWatermark: Watermark;
  readonly #time: ProcessingTime;
  readonly #slots: KeySlots;
  readonly #timers: KeyedTimers;
  readonly #sorted: SortedInput | undefined;
  readonly #records: KeySlotRecords | undefined;
  #inFlight: KeyedWork[] = [];
  #expiring: Cell[] = [];

  constructor(
    readonly id: string,
    parts: KeyedRootParts,
  ) {
    this.input = parts.input;
    this.#spec = parts.spec;
    this.#stageWatermark = parts.stageWatermark;
    this.#time = parts.time;
    this.#records = parts.records;
    const { allowedLatenessMs, hasExpirationCallback = false } = parts.spec;
    this.#slots = new KeySlots(allowedLatenessMs, hasExpirationCallback, parts.records);
    this.#timers = new KeyedTimers(this.#coldTimers());
    this.#slots.residence = {
      loaded: (cell, timers) => this.#timers.come(cell, timers),
      leaving: (cells) => this.#timers.leave(cells),
    };
    parts.state.add(id, this.#slots);
    this.#sorted = parts.spec.isTimeSorted ? new SortedInput(parts.records?.sorted) : undefined;
  }

  get holdMs(): number {
    const timersMs = Math.min(this.#timers.holdMs, this.#sorted?.holdMs ?? MAX_WATERMARK_MS);
    if (!this.#spec.hasExpirationCallback) return timersMs;
    return Math.min(timersMs, this.#slots.nextExpiryMs ?? MAX_WATERMARK_MS);
  }

  get isIdle(): boolean {
    const isQuiet = this.input.isIdle && (this.#sorted?.isIdle ?? true);
    return isQuiet && this.#timers.isEmpty && this.#slots.isEmpty;
  }

  get nextWakeUpMs(): number | undefined {
    return this.#timers.nextProcessingTimeMs;
  }

  get load(): RootLoad {
    const { keys, coldTimers } = this.#slots.counts;
    const keyed = { keys, timers: this.#timers.size + coldTimers };
    return { waiting: this.input.waiting + (this.#sorted?.size ?? 0), keyed };
  }

  next(max: number): readonly BundleInput[] | undefined {
    const work = new KeyedWorkList();
    if (this.#sorted === undefined) this.#takeElements(work, max);
    else this.#takeSorted(this.#sorted, work, max);
    let keys = work.keys();
    if (keys.length === 0) {
      this.#takeTimers(work, max);
      keys = work.keys();
    }
    if (keys.length === 0 && this.#spec.hasExpirationCallback) {
      this.#takeExpirations(work, max);
      keys = work.keys();
    }
    if (keys.length === 0) return undefined;
    this.#inFlight = keys;
    return [{ kind: "keyed", root: this.id, keys }];
  }

  /** Sets or clears a timer. What the last items of a window set is dropped: it could never fire. */
  setTimer({ keyId, key, window, family, tag, set }: TimerUpdate): void {
    const cell = this.#slots.find(keyId, window.id)?.cell;
    if (set === undefined) {
      if (cell !== undefined) this.#timers.clear(cell, family, tag);
      return;
    }
    if (cell?.isClosing) return;
    const owner = cell ?? this.#slots.cellOf(keyId, key, window);
    this.#timers.set(owner, family, tag, set, this.#stageWatermark.ms);
  }

  complete(): void {
    this.#timers.complete();
    this.#sorted?.complete();
    this.input.complete();
    for (const cell of this.#expiring) this.#remove(cell);
    if (this.#expiring.length === 0) for (const work of this.#inFlight) this.#review(work);
    this.#expiring = [];
    this.#inFlight = [];
  }

  settle(isInFlight: boolean): void {
    this.input.settle();
    if (this.#sorted !== undefined && this.input.isReady) {
      this.#sort(this.#sorted);
      this.input.settle();
    }
    if (!isInFlight && !this.#spec.hasExpirationCallback) this.#expire();
  }

  /** Lets go of keys whose records the store has, until what is left takes about this much memory. */
  release(bytesMax: number): void {
    if (this.#inFlight.length === 0) this.#slots.release(bytesMax);
  }

  writeState(log: StateLog): void {
    this.input.writeState(log);
    this.#records?.write(log, this.#slots, this.#timers.settings, this.#sorted);
  }

  restoreState(restored: RestoredState): void {
    this.input.restoreState(restored);
    const numbers = this.#records?.restore(restored, this.#slots, this.#sorted, ({ cell }, timers) => {
      if (cell !== undefined) this.#timers.restore(cell, timers);
    });
    this.#timers.restoreSettings(numbers?.settings ?? 0);
  }

  #takeElements(work: KeyedWorkList, max: number): void {
    for (const elements of this.input.take(max)) {
      for (const element of elements) {
        const keyId = this.#spec.keyOf(element.value);
        const key = keyOf(element);
        for (const window of element.windows) work.add(keyId, key, { kind: "element", element, window });
      }
    }
  }

  /** Those before the next due timer. */
  #takeSorted(sorted: SortedInput, work: KeyedWorkList, max: number): void {
    const lastMs = this.#timers.nextEventTimeMs ?? MAX_WATERMARK_MS;
    for (const { element, window } of sorted.take(this.input.watermark.ms, lastMs, max)) {
      work.add(this.#spec.keyOf(element.value), keyOf(element), { kind: "element", element, window });
    }
  }

  #sort(sorted: SortedInput): void {
    for (const elements of this.input.take(Number.MAX_SAFE_INTEGER)) {
      for (const element of elements) {
        for (const window of element.windows) sorted.add(element, window, this.#stageWatermark.ms);
      }
    }
    this.input.complete();
  }

  /**
   * Due timers. At the end of time the pending processing-time timers follow the event-time ones, without
   * waiting for the clock: their windows expire behind them.
   */
  #takeTimers(work: KeyedWorkList, max: number): void {
    const batch = new TimerBatch(max);
    const watermarkMs = this.input.watermark.ms;
    this.#timers.takeEventTime(batch, Math.min(watermarkMs, this.#sorted?.nextMs ?? MAX_WATERMARK_MS));
    if (watermarkMs < MAX_WATERMARK_MS) {
      this.#timers.takeProcessingTime(batch, this.#time.ms);
    } else if (batch.timers.length === 0) {
      this.#timers.takeProcessingTime(batch, Number.POSITIVE_INFINITY);
      for (const { cell } of batch.timers) this.#slots.close(cell);
    }
    this.#timers.fire(batch.timers);
    for (const timer of batch.timers) {
      const { key, slot } = timer.cell;
      work.add(slot.keyId, key, { kind: "timer", timer: firingOf(timer), window: slot.live.window });
    }
  }

  #takeExpirations(work: KeyedWorkList, max: number): void {
    this.#expiring = this.#slots.expired(this.input.watermark.ms, max);
    for (const cell of this.#expiring) {
      this.#slots.close(cell);
      const { keyId, live } = cell.slot;
      work.add(keyId, cell.key, { kind: "expiration", window: live.window });
    }
  }

  /** Without a callback, an expired window goes as a whole once its timers have fired. */
  #expire(): void {
    const watermarkMs = this.input.watermark.ms;
    if ((this.#slots.nextExpiryMs ?? MAX_WATERMARK_MS) >= watermarkMs || this.#hasDue(watermarkMs)) return;
    for (;;) {
      const expired = this.#slots.popExpired(watermarkMs);
      if (expired === undefined) return;
      for (const { cell } of expired.slots.values()) if (cell !== undefined) this.#timers.clearAll(cell);
    }
  }

  #hasDue(watermarkMs: number): boolean {
    if ((this.#sorted?.nextMs ?? MAX_WATERMARK_MS) < watermarkMs) return true;
    if ((this.#timers.nextEventTimeMs ?? MAX_WATERMARK_MS) < watermarkMs) return true;
    return watermarkMs === MAX_WATERMARK_MS && this.#timers.nextProcessingTimeMs !== undefined;
  }

  /** Keeps in mind what a key has in the windows of a bundle's items, and forgets where there is nothing any more. */
  #review({ keyId, key, items }: KeyedWork): void {
    let reviewed: Window | undefined;
    for (const { window } of items) {
      if (window === reviewed) continue;
      reviewed = window;
      const slot = this.#slots.resident(keyId, window.id);
      if (slot === undefined) continue;
      // Also where it is empty again: what expires must not depend on where a bundle ended.
      if (this.#spec.hasExpirationCallback && slot.cells !== undefined)
        this.#slots.cellOf(keyId, key, window);
      if (slot.cells?.isEmpty) this.#slots.dropCells(slot);
      if (this.#spec.hasExpirationCallback || slot.isGone) continue;
      if (slot.cell !== undefined && slot.cell.firstTimer === undefined) this.#slots.dropCell(slot);
    }
  }

  #remove(cell: Cell): void {
    this.#timers.clearAll(cell);
    this.#slots.remove(cell.slot);
  }

  #coldTimers(): ColdTimers | undefined {
    const cold = this.#records?.cold;
    if (cold === undefined) return undefined;
    const isCold = (keyId: string, windowId: string) => this.#slots.isCold(keyId, windowId);
    return {
      eventTime: new ColdOrder(cold, this.id, "event-time", isCold),
      processingTime: new ColdOrder(cold, this.id, "processing-time", isCold),
      holds: new ColdOrder(cold, this.id, "hold", isCold),
      load: (keyId, windowId) => this.#slots.find(keyId, windowId),
    };
  }
}

function keyOf({ value }: Element): unknown {
  return (value as { readonly key: unknown }).key;
}

function firingOf({ family, tag, domain, fireAtMs, outputTimestampMs }: KeyedTimer) {
  return { family, tag, domain, fireAtMs, outputTimestampMs };
}
