/** Timers in the order in which they fire: a heap with an index, so that setting one again replaces it. */

/** What a timer is found by: equal ids are the same timer. */
export interface IndexedTimer {
  readonly id: string;
  readonly fireAtMs: number;
}

interface Entry<T> {
  readonly timer: T;
  /** The timer's: here too, so that a comparison looks at entries alone. */
  readonly timeMs: number;
  readonly order: number;
  /** Where it is in the heap: kept here and not by id, as a move in the heap must cost next to nothing. */
  place: number;
}

/** One domain's timers. Ties fire in the order of their setting. */
export class TimerIndex<T extends IndexedTimer> {
  readonly #heap: Entry<T>[] = [];
  readonly #byId = new Map<string, Entry<T>>();
  #settings = 0;

  get size(): number {
    return this.#heap.length;
  }

  get(id: string): T | undefined {
    return this.#byId.get(id)?.timer;
  }

  /**
   * Sets a timer; one of the same id is replaced.
   * @param order of its setting, where that is known; no two have the same
   */
  set(timer: T, order: number = this.#settings++): void {
    const replaced = this.#byId.get(timer.id);
    const entry = { timer, timeMs: timer.fireAtMs, order, place: this.#heap.length };
    this.#byId.set(timer.id, entry);
    if (replaced === undefined) {
      this.#heap.push(entry);
      this.#up(entry.place, entry);
    } else {
      this.#move(replaced.place, entry);
    }
  }

  /** Forgets a timer; false if it was not set. */
  delete(id: string): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    this.#byId.delete(id);
    this.#remove(entry);
    return true;
  }

  /** The next to fire. */
  peek(): T | undefined {
    return this.#heap[0]?.timer;
  }

  pop(): T | undefined {
    const first = this.#heap[0];
    if (first === undefined) return undefined;
    this.delete(first.timer.id);
    return first.timer;
  }

  /**
   * Goes through the timers in their order and gives those taken, which are forgotten here; those skipped
   * stay as they are. `choose` must not change the index.
   */
  take(choose: (timer: T) => "take" | "skip" | "stop"): T[] {
    const taken: T[] = [];
    const skipped: Entry<T>[] = [];
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) break;
      const choice = choose(first.timer);
      if (choice === "stop") break;
      this.#remove(first);
      if (choice === "skip") {
        skipped.push(first);
      } else {
        this.#byId.delete(first.timer.id);
        taken.push(first.timer);
      }
    }
    for (const entry of skipped) {
      this.#heap.push(entry);
      this.#up(this.#heap.length - 1, entry);
    }
    return taken;
  }

  /** All timers, in no particular order. */
  *all(): Generator<T> {
    for (const { timer } of this.#heap) yield timer;
  }

  /** Takes an entry out of the heap; the last one moves into its place. */
  #remove({ place }: Entry<T>): void {
    const last = this.#heap.pop()!;
    if (place < this.#heap.length) this.#move(place, last);
  }

  #move(place: number, entry: Entry<T>): void {
    const parent = (place - 1) >> 1;
    if (place > 0 && isBefore(entry, this.#heap[parent]!)) this.#up(place, entry);
    else this.#down(place, entry);
  }

  #up(from: number, entry: Entry<T>): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#heap[parent]!;
      if (!isBefore(entry, above)) break;
      this.#put(place, above);
      place = parent;
    }
    this.#put(place, entry);
  }

  #down(from: number, entry: Entry<T>): void {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#heap.length) break;
      const other = child + 1;
      if (other < this.#heap.length && isBefore(this.#heap[other]!, this.#heap[child]!)) child = other;
      if (!isBefore(this.#heap[child]!, entry)) break;
      this.#put(place, this.#heap[child]!);
      place = child;
    }
    this.#put(place, entry);
  }

  #put(place: number, entry: Entry<T>): void {
    this.#heap[place] = entry;
    entry.place = place;
  }
}

function isBefore(a: Entry<IndexedTimer>, b: Entry<IndexedTimer>): boolean {
  return a.timeMs === b.timeMs ? a.order < b.order : a.timeMs < b.timeMs;
}
