/** What the panes still to come hold back, and when processing time makes one ready. All of it is derived. */
import { MAX_WATERMARK_MS } from "./element.js";
import { holdOf, type KeyWindow } from "./key-window.js";
import { TimerIndex } from "./timer-index.js";
import { nextReadyMs } from "./triggers/trigger-machine.js";
import type { WindowingStrategy } from "./windowing-strategy.js";

interface EntryTimer {
  readonly id: string;
  readonly fireAtMs: number;
  readonly entry: KeyWindow;
  /** Those ready at the same time are asked in this order. */
  readonly order: number;
}

/** An entry with its place among those that become ready at the same time, if the clock changes anything for it. */
export interface RestoredEntry {
  readonly entry: KeyWindow;
  readonly readyOrder: number | undefined;
}

export class PaneSchedule {
  readonly #strategy: WindowingStrategy;
  readonly #holds = new TimerIndex<{ readonly id: string; readonly fireAtMs: number }>();
  readonly #processingTimers = new TimerIndex<EntryTimer>();
  /** Those that changed: looked at once, however many elements came. */
  readonly #touched = new Set<KeyWindow>();
  #settings = 0;

  constructor(strategy: WindowingStrategy) {
    this.#strategy = strategy;
  }

  /** The earliest hold of all. */
  get holdMs(): number {
    return this.#holds.peek()?.fireAtMs ?? MAX_WATERMARK_MS;
  }

  get nextProcessingTimeMs(): number | undefined {
    return this.#processingTimers.peek()?.fireAtMs;
  }

  /** In which order those are asked that are ready at the same time; undefined where the clock changes nothing. */
  orderOf(entry: KeyWindow): number | undefined {
    return this.#processingTimers.get(entry.id)?.order;
  }

  /** Has to be called when anything about the key's window changes. */
  touch(entry: KeyWindow): void {
    this.#touched.add(entry);
  }

  /** Takes what an earlier process had; whom the clock did not change there it does not change here. */
  restore(entries: readonly RestoredEntry[], inputWatermarkMs: number): void {
    const timed = entries.filter(({ readyOrder }) => readyOrder !== undefined);
    for (const { entry } of entries) this.touch(entry);
    this.refresh(inputWatermarkMs, Number.POSITIVE_INFINITY);
    for (const { entry, readyOrder } of timed.sort((a, b) => a.readyOrder! - b.readyOrder!)) {
      this.#settings = readyOrder!;
      this.touch(entry);
      this.refresh(inputWatermarkMs, Number.NEGATIVE_INFINITY);
    }
  }

  forget(entry: KeyWindow): void {
    this.#touched.delete(entry);
    this.#holds.delete(entry.id);
    this.#processingTimers.delete(entry.id);
  }

  /** One hold for many keys; undefined takes it away. */
  holdAt(id: string, holdMs: number | undefined): void {
    if (holdMs === undefined) this.#holds.delete(id);
    else this.#holds.set({ id, fireAtMs: holdMs });
  }

  /** The next whose trigger has to be asked because of the clock. */
  takeDue(processingTimeMs: number): KeyWindow | undefined {
    const timer = this.#processingTimers.peek();
    if (timer === undefined || timer.fireAtMs > processingTimeMs) return undefined;
    this.#processingTimers.delete(timer.id);
    return timer.entry;
  }

  /** Brings holds and timers up to date with what was touched. */
  refresh(inputWatermarkMs: number, processingTimeMs: number): void {
    for (const entry of this.#touched) {
      const hold = holdOf(entry, this.#strategy, inputWatermarkMs > entry.group.endMs);
      if (this.#holds.get(entry.id)?.fireAtMs !== hold) this.holdAt(entry.id, hold);
      const ready = entry.trigger && nextReadyMs(entry.trigger);
      // A time that has come was no reason to fire, and is no reason to ask again.
      if (ready === undefined || ready <= processingTimeMs) this.#processingTimers.delete(entry.id);
      else if (this.#processingTimers.get(entry.id)?.fireAtMs !== ready) {
        this.#processingTimers.set({ id: entry.id, fireAtMs: ready, entry, order: this.#settings++ });
      }
    }
    this.#touched.clear();
  }
}
