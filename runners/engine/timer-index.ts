/** Timers in the order in which they fire, found by an id, so that setting one again replaces it. */
import { type HeapTimer, NO_PLACE, TimerHeap } from "./timer-heap.js";

/** What a timer is found by: equal ids are the same timer. */
export interface IndexedTimer {
  readonly id: string;
  readonly fireAtMs: number;
}

interface Entry<T> extends HeapTimer {
  readonly timer: T;
}

/** One domain's timers. Ties fire in the order of their setting. */
export class TimerIndex<T extends IndexedTimer> {
  readonly #heap = new TimerHeap<Entry<T>>();
  readonly #byId = new Map<string, Entry<T>>();
  #settings = 0;

  get size(): number {
    return this.#heap.size;
  }

  get(id: string): T | undefined {
    return this.#byId.get(id)?.timer;
  }

  /** Sets a timer; one of the same id is replaced. */
  set(timer: T): void {
    const replaced = this.#byId.get(timer.id);
    const entry = { timer, fireAtMs: timer.fireAtMs, order: this.#settings++, place: NO_PLACE };
    this.#byId.set(timer.id, entry);
    if (replaced === undefined) this.#heap.add(entry);
    else this.#heap.replace(replaced, entry);
  }

  /** Forgets a timer; false if it was not set. */
  delete(id: string): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    this.#byId.delete(id);
    this.#heap.remove(entry);
    return true;
  }

  /** The next to fire. */
  peek(): T | undefined {
    return this.#heap.first?.timer;
  }

  pop(): T | undefined {
    const first = this.peek();
    if (first !== undefined) this.delete(first.id);
    return first;
  }

  /**
   * Goes through the timers in their order and gives those taken, which are forgotten here; those skipped
   * stay as they are. `choose` must not change the index.
   */
  take(choose: (timer: T) => "take" | "skip" | "stop"): T[] {
    const taken = this.#heap.take(({ timer }) => choose(timer)).map(({ timer }) => timer);
    for (const { id } of taken) this.#byId.delete(id);
    return taken;
  }

  /** All timers, in no particular order. */
  *all(): Generator<T> {
    for (const { timer } of this.#byId.values()) yield timer;
  }
}
