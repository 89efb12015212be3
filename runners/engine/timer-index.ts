/** Timers in the order in which they fire: a heap with an index, so that setting one again replaces it. */

/** What a timer is found by: equal ids are the same timer. */
export interface IndexedTimer {
  readonly id: string;
  readonly fireAtMs: number;
}

/** One domain's timers. Ties fire in the order of their setting. */
export class TimerIndex<T extends IndexedTimer> {
  readonly #heap: { timer: T; order: number }[] = [];
  /** Place in the heap by id. */
  readonly #places = new Map<string, number>();
  #settings = 0;

  get size(): number {
    return this.#heap.length;
  }

  get(id: string): T | undefined {
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.#heap[place]!.timer;
  }

  /** Sets a timer; one of the same id is replaced. */
  set(timer: T): void {
    const entry = { timer, order: this.#settings++ };
    const place = this.#places.get(timer.id);
    if (place === undefined) {
      this.#heap.push(entry);
      this.#up(this.#heap.length - 1, entry);
    } else {
      this.#move(place, entry);
    }
  }

  /** Forgets a timer; false if it was not set. */
  delete(id: string): boolean {
    const place = this.#places.get(id);
    if (place === undefined) return false;
    this.#places.delete(id);
    const last = this.#heap.pop()!;
    if (place < this.#heap.length) this.#move(place, last);
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
    const skipped: { timer: T; order: number }[] = [];
    for (;;) {
      const first = this.#heap[0];
      const choice = first === undefined ? "stop" : choose(first.timer);
      if (first === undefined || choice === "stop") break;
      this.delete(first.timer.id);
      if (choice === "take") taken.push(first.timer);
      else skipped.push(first);
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

  #move(place: number, entry: { timer: T; order: number }): void {
    const parent = (place - 1) >> 1;
    if (place > 0 && isBefore(entry, this.#heap[parent]!)) this.#up(place, entry);
    else this.#down(place, entry);
  }

  #up(from: number, entry: { timer: T; order: number }): void {
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

  #down(from: number, entry: { timer: T; order: number }): void {
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

  #put(place: number, entry: { timer: T; order: number }): void {
    this.#heap[place] = entry;
    this.#places.set(entry.timer.id, place);
  }
}

function isBefore(
  a: { timer: IndexedTimer; order: number },
  b: { timer: IndexedTimer; order: number },
): boolean {
  return a.timer.fireAtMs === b.timer.fireAtMs ? a.order < b.order : a.timer.fireAtMs < b.timer.fireAtMs;
}
