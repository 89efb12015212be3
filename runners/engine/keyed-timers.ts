/** The timers of a stateful step, of both domains, and what they hold back. */
import type { TimerUpdate } from "./bundle.js";
import type { TrackedItems } from "./durable/tracked-items.js";
import { HoldSet } from "./hold-set.js";
import type { Cell, KeyedTimer } from "./keyed-cell.js";
import { TimerIndex } from "./timer-index.js";

type TimerSetting = NonNullable<TimerUpdate["set"]>;

/** A bundle stops collecting timers when so many had to wait for an earlier one of their cell. */
const SKIPPED_MAX = 64;

/** The due timers of one bundle: at most one a cell, as each may set or clear the next. */
export class TimerBatch {
  readonly timers: KeyedTimer[] = [];
  readonly #cells = new Set<Cell>();
  readonly #max: number;
  #skipped = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes due timers of a domain in their order. */
  take(index: TimerIndex<KeyedTimer>, isDue: (timer: KeyedTimer) => boolean): void {
    const taken = index.take((timer) => {
      if (!isDue(timer) || this.#cells.size >= this.#max || this.#skipped >= SKIPPED_MAX) return "stop";
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

export class KeyedTimers {
  readonly #eventTime = new TimerIndex<KeyedTimer>();
  readonly #processingTime = new TimerIndex<KeyedTimer>();
  readonly #holds = new HoldSet();
  #firing: KeyedTimer[] = [];
  #settings = 0;

  constructor(private readonly tracked?: TrackedItems<KeyedTimer> | undefined) {}

  /** All that are set or firing, in no particular order. */
  *all(): Generator<KeyedTimer> {
    // What was set again while it fires is what the next process goes on with.
    for (const timer of this.#firing) if (this.#find(timer.id) === undefined) yield timer;
    yield* this.#eventTime.all();
    yield* this.#processingTime.all();
  }

  /** Takes a timer that was set in an earlier process; in the order of their setting. */
  restore(cell: Cell, restored: Omit<KeyedTimer, "id" | "cell" | "previous" | "next">): void {
    this.#settings = restored.order;
    this.#add(cell, restored);
  }

  get isEmpty(): boolean {
    return this.#eventTime.size === 0 && this.#processingTime.size === 0 && this.#firing.length === 0;
  }

  /** Timers that are set, of both domains. */
  get size(): number {
    return this.#eventTime.size + this.#processingTime.size;
  }

  /** The earliest hold, of the timers that are firing too. */
  get holdMs(): number {
    return this.#holds.minMs;
  }

  get nextEventTimeMs(): number | undefined {
    return this.#eventTime.peek()?.fireAtMs;
  }

  get nextProcessingTimeMs(): number | undefined {
    return this.#processingTime.peek()?.fireAtMs;
  }

  /** Sets a timer of the cell, in place of what it was set to before. */
  set(cell: Cell, family: string, tag: string, setting: TimerSetting, floorMs: number): void {
    if (Number.isNaN(setting.fireAtMs)) throw new Error(`timer ${family} cannot be set to NaN`);
    const earlier = this.#find(idOf(cell, family, tag));
    const { outputTimestampMs } = setting;
    const holdMs = outputTimestampMs === undefined ? undefined : Math.max(outputTimestampMs, floorMs);
    const { domain, fireAtMs } = setting;
    const order = this.#settings;
    const timer = this.#add(cell, { family, tag, domain, fireAtMs, outputTimestampMs, holdMs, order });
    this.tracked?.put(timer);
    if (earlier === undefined) return;
    this.tracked?.replace(earlier);
    // In the index the new one has taken its place: to take it out before would cost more, the more timers there are.
    if (earlier.domain !== timer.domain) this.#index(earlier).delete(earlier.id);
    this.#release(earlier);
    detach(earlier);
  }

  clear(cell: Cell, family: string, tag: string): void {
    const timer = this.#find(idOf(cell, family, tag));
    if (timer !== undefined) this.#forget(timer);
  }

  clearAll(cell: Cell): void {
    while (cell.firstTimer !== undefined) this.#forget(cell.firstTimer);
  }

  /** Takes event-time timers behind the watermark into the batch. */
  takeEventTime(batch: TimerBatch, watermarkMs: number): void {
    batch.take(this.#eventTime, ({ fireAtMs }) => fireAtMs < watermarkMs);
  }

  /** Takes processing-time timers up to this time into the batch. */
  takeProcessingTime(batch: TimerBatch, processingTimeMs: number): void {
    batch.take(this.#processingTime, ({ fireAtMs }) => fireAtMs <= processingTimeMs);
  }

  /** These are being processed: they are not set any more, but hold until `complete`. */
  fire(timers: KeyedTimer[]): void {
    this.#firing = timers;
  }

  complete(): void {
    for (const timer of this.#firing) {
      this.#release(timer);
      if (this.tracked !== undefined && this.#find(timer.id) === undefined) this.tracked.remove(timer);
    }
    this.#firing = [];
  }

  #add(cell: Cell, setting: Omit<KeyedTimer, "id" | "cell" | "previous" | "next">): KeyedTimer {
    const { family, tag, domain, fireAtMs, outputTimestampMs, holdMs, order } = setting;
    const timer: KeyedTimer = {
      id: idOf(cell, family, tag),
      cell,
      family,
      tag,
      domain,
      fireAtMs,
      outputTimestampMs,
      holdMs,
      order,
      previous: undefined,
      next: undefined,
    };
    this.#settings++;
    attach(timer);
    this.#index(timer).set(timer);
    if (holdMs !== undefined) this.#holds.add(holdMs);
    return timer;
  }

  #forget(timer: KeyedTimer): void {
    this.#index(timer).delete(timer.id);
    this.#release(timer);
    detach(timer);
    this.tracked?.remove(timer);
  }

  #find(id: string): KeyedTimer | undefined {
    return this.#eventTime.get(id) ?? this.#processingTime.get(id);
  }

  #release({ holdMs }: KeyedTimer): void {
    if (holdMs !== undefined) this.#holds.remove(holdMs);
  }

  #index({ domain }: KeyedTimer): TimerIndex<KeyedTimer> {
    return domain === "event-time" ? this.#eventTime : this.#processingTime;
  }
}

function attach(timer: KeyedTimer): void {
  const { cell } = timer;
  timer.next = cell.firstTimer;
  if (timer.next !== undefined) timer.next.previous = timer;
  cell.firstTimer = timer;
}

function detach({ cell, previous, next }: KeyedTimer): void {
  if (previous === undefined) cell.firstTimer = next;
  else previous.next = next;
  if (next !== undefined) next.previous = previous;
}

function idOf(cell: Cell, family: string, tag: string): string {
  return `${cell.number}/${family.length}/${family}/${tag}`;
}
