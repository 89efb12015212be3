/**
 * The root of a stateful step. What comes first: the elements that have arrived, then due timers, then the
 * expiration of windows. Each kind has bundles of its own, so that an element may still move a timer that is due.
 */
import type { BundleInput, KeyedWork, TimerUpdate } from "./bundle.js";
import type { KeyedRootRecords } from "./durable/keyed-root-records.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { StateLog } from "./durable/state-log.js";
import { type Element, MAX_WATERMARK_MS, type Window } from "./element.js";
import type { KeyedRoot } from "./engine-graph.js";
import type { Cell, KeyedTimer } from "./keyed-cell.js";
import { KeyedCells } from "./keyed-cells.js";
import { KeyedTimers, TimerBatch } from "./keyed-timers.js";
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
  readonly records?: KeyedRootRecords | undefined;
}

export class KeyedRootState implements RootState {
  readonly kind = "keyed";
  readonly input: RootInput;
  readonly #spec: KeyedRoot;
  readonly #state: StateStore;
  readonly #stageWatermark: Watermark;
  readonly #time: ProcessingTime;
  readonly #cells: KeyedCells;
  readonly #timers: KeyedTimers;
  readonly #sorted: SortedInput | undefined;
  readonly #records: KeyedRootRecords | undefined;
  #inFlight: KeyedWork[] = [];
  #expiring: Cell[] = [];

  constructor(
    readonly id: string,
    parts: KeyedRootParts,
  ) {
    this.input = parts.input;
    this.#spec = parts.spec;
    this.#state = parts.state;
    this.#stageWatermark = parts.stageWatermark;
    this.#time = parts.time;
    this.#records = parts.records;
    this.#cells = new KeyedCells(parts.spec.allowedLatenessMs, parts.records);
    this.#timers = new KeyedTimers(parts.records?.timers);
    this.#sorted = parts.spec.isTimeSorted ? new SortedInput(parts.records?.sorted) : undefined;
  }

  get holdMs(): number {
    const timersMs = Math.min(this.#timers.holdMs, this.#sorted?.holdMs ?? MAX_WATERMARK_MS);
    if (!this.#spec.hasExpirationCallback) return timersMs;
    return Math.min(timersMs, this.#cells.nextExpiryMs ?? MAX_WATERMARK_MS);
  }

  get isIdle(): boolean {
    const isQuiet = this.input.isIdle && (this.#sorted?.isIdle ?? true);
    return isQuiet && this.#timers.isEmpty && this.#cells.isEmpty;
  }

  get nextWakeUpMs(): number | undefined {
    return this.#timers.nextProcessingTimeMs;
  }

  get load(): RootLoad {
    const keyed = { keys: this.#state.keyCount(this.id), timers: this.#timers.size };
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
    const cell = this.#cells.get(keyId, window);
    if (set === undefined) {
      if (cell !== undefined) this.#timers.clear(cell, family, tag);
      return;
    }
    if (cell?.isClosing) return;
    const owner = cell ?? this.#cells.getOrCreate(keyId, key, window);
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

  writeState(log: StateLog): void {
    this.input.writeState(log);
    this.#records?.write(log, this.#cells, this.#timers, this.#sorted);
  }

  restoreState(restored: RestoredState): void {
    this.input.restoreState(restored);
    this.#records?.restore(restored, this.#cells, this.#timers, this.#sorted);
    this.#state.restoreRoot(restored, this.id);
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
      for (const { cell } of batch.timers) this.#cells.close(cell);
    }
    this.#timers.fire(batch.timers);
    for (const timer of batch.timers) {
      const { keyId, key, window } = timer.cell;
      work.add(keyId, key, { kind: "timer", timer: firingOf(timer), window });
    }
  }

  #takeExpirations(work: KeyedWorkList, max: number): void {
    this.#expiring = this.#cells.expired(this.input.watermark.ms, max);
    for (const cell of this.#expiring) {
      this.#cells.close(cell);
      work.add(cell.keyId, cell.key, { kind: "expiration", window: cell.window });
    }
  }

  /** Without a callback, an expired window goes as a whole once its timers have fired. */
  #expire(): void {
    const watermarkMs = this.input.watermark.ms;
    if ((this.#cells.nextExpiryMs ?? MAX_WATERMARK_MS) >= watermarkMs || this.#hasDue(watermarkMs)) return;
    for (;;) {
      const expired = this.#cells.popExpired(watermarkMs);
      if (expired === undefined) return;
      for (const cell of expired.cells.values()) this.#timers.clearAll(cell);
      this.#state.removeWindow(this.id, expired.window);
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
      const hadCells = this.#state.has(this.id, keyId, window);
      const isEmpty = this.#state.removeIfEmpty(this.id, keyId, window);
      const cell = this.#cells.get(keyId, window);
      if (this.#spec.hasExpirationCallback) {
        // Also where they are empty again: what expires must not depend on where a bundle ended.
        if (hadCells) this.#cells.getOrCreate(keyId, key, window);
        continue;
      }
      if (!isEmpty) this.#cells.liveWindow(window);
      if (cell !== undefined && cell.firstTimer === undefined)
        this.#cells.delete(cell, this.#state.hasWindow(this.id, window));
    }
  }

  #remove(cell: Cell): void {
    this.#timers.clearAll(cell);
    this.#state.remove(this.id, cell.keyId, cell.window);
    this.#cells.delete(cell, false);
  }
}

function keyOf({ value }: Element): unknown {
  return (value as { readonly key: unknown }).key;
}

function firingOf({ family, tag, domain, fireAtMs, outputTimestampMs }: KeyedTimer) {
  return { family, tag, domain, fireAtMs, outputTimestampMs };
}
