/** Timers in the order in which they fire. Each knows its place among them, so that any can be taken out or replaced. */

export interface HeapTimer {
  readonly fireAtMs: number;
  /** Those due at the same time fire in this order; no two have the same. */
  readonly order: number;
  /** Where it is; whoever has the timer leaves it alone. */
  place: number;
}

/** Of a timer that is in no heap. */
export const NO_PLACE = -1;

export class TimerHeap<T extends HeapTimer> {
  #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The next to fire. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  add(timer: T): void {
    this.#heap.push(timer);
    this.#up(this.#heap.length - 1, timer);
  }

  /** Puts a timer where another one was, which is not set any more. */
  replace(replaced: T, timer: T): void {
    const { place } = replaced;
    replaced.place = NO_PLACE;
    this.#move(place, timer);
  }

  remove(timer: T): void {
    const { place } = timer;
    timer.place = NO_PLACE;
    const last = this.#heap.pop()!;
    if (place < this.#heap.length) this.#move(place, last);
  }

  /** As `remove`, for each of them. */
  removeAll(timers: readonly T[]): void {
    // One by one costs as many steps as the heap is high; all together, one for each that stays.
    if (timers.length * Math.log2(this.#heap.length + 1) < this.#heap.length) {
      for (const timer of timers) this.remove(timer);
      return;
    }
    for (const timer of timers) timer.place = NO_PLACE;
    this.#heap = this.#heap.filter(({ place }) => place !== NO_PLACE);
    for (let place = 0; place < this.#heap.length; place++) this.#heap[place]!.place = place;
    for (let place = (this.#heap.length >> 1) - 1; place >= 0; place--) this.#down(place, this.#heap[place]!);
  }

  /**
   * Goes through the timers in their order and gives those taken, which are not here any more; those skipped stay as
   * they are. `choose` must not change the heap.
   */
  take(choose: (timer: T) => "take" | "skip" | "stop"): T[] {
    const taken: T[] = [];
    const skipped: T[] = [];
    for (;;) {
      const { first } = this;
      const choice = first === undefined ? "stop" : choose(first);
      if (first === undefined || choice === "stop") break;
      this.remove(first);
      (choice === "skip" ? skipped : taken).push(first);
    }
    for (const timer of skipped) this.add(timer);
    return taken;
  }

  #move(place: number, timer: T): void {
    const parent = (place - 1) >> 1;
    if (place > 0 && isBefore(timer, this.#heap[parent]!)) this.#up(place, timer);
    else this.#down(place, timer);
  }

  #up(from: number, timer: T): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#heap[parent]!;
      if (!isBefore(timer, above)) break;
      this.#put(place, above);
      place = parent;
    }
    this.#put(place, timer);
  }

  #down(from: number, timer: T): void {
    const heap = this.#heap;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, timer)) break;
      this.#put(place, heap[child]!);
      place = child;
    }
    this.#put(place, timer);
  }

  #put(place: number, timer: T): void {
    this.#heap[place] = timer;
    timer.place = place;
  }
}

function isBefore(a: HeapTimer, b: HeapTimer): boolean {
  return a.fireAtMs === b.fireAtMs ? a.order < b.order : a.fireAtMs < b.fireAtMs;
}
