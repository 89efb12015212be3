/** Items in the order of their times; those of equal times in the order of their coming. */

interface Entry<T> {
  readonly timeMs: number;
  readonly order: number;
  readonly item: T;
}

export class TimeHeap<T> {
  #entries: Entry<T>[] = [];
  #pushes = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** Time of the first item. */
  get firstMs(): number | undefined {
    return this.#entries[0]?.timeMs;
  }

  get first(): T | undefined {
    return this.#entries[0]?.item;
  }

  push(timeMs: number, item: T): void {
    const entries = this.#entries;
    const entry = { timeMs, order: this.#pushes++, item };
    let place = entries.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = entries[parent]!;
      if (!isBefore(entry, above)) break;
      entries[place] = above;
      place = parent;
    }
    entries[place] = entry;
  }

  pop(): T | undefined {
    const first = this.#entries[0];
    if (first === undefined) return undefined;
    const last = this.#entries.pop()!;
    if (this.#entries.length > 0) this.#sink(last);
    return first.item;
  }

  /** All items, in no particular order. */
  *items(): Generator<T> {
    for (const { item } of this.#entries) yield item;
  }

  /** Takes everything, in order. */
  drain(): T[] {
    const entries = this.#entries.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#entries = [];
    return entries.map(({ item }) => item);
  }

  /** Puts an entry at the top and lets it down to its place. */
  #sink(entry: Entry<T>): void {
    const entries = this.#entries;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && isBefore(entries[child + 1]!, entries[child]!)) child++;
      if (!isBefore(entries[child]!, entry)) break;
      entries[place] = entries[child]!;
      place = child;
    }
    entries[place] = entry;
  }
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.timeMs === b.timeMs ? a.order < b.order : a.timeMs < b.timeMs;
}
