/** Entries in the order of their places, no two at the same: in buckets, so that neither adding nor removing moves many. */

interface Entry<T> {
  readonly place: number;
  item: T;
}

/** A bucket that grows beyond this is halved. */
const BUCKET_ENTRIES_MAX = 256;

export class SortedEntries<T> {
  /** None of them is empty. */
  readonly #buckets: Entry<T>[][] = [];

  /** Adds an item; whatever was at its place is replaced. */
  set(place: number, item: T): void {
    const at = this.#bucketOf(place);
    const bucket = this.#buckets[at];
    if (bucket === undefined) {
      this.#buckets.push([{ place, item }]);
      return;
    }
    const index = indexOf(bucket, place);
    if (bucket[index]?.place === place) {
      bucket[index].item = item;
      return;
    }
    bucket.splice(index, 0, { place, item });
    if (bucket.length > BUCKET_ENTRIES_MAX) {
      this.#buckets.splice(at + 1, 0, bucket.splice(bucket.length >> 1));
    }
  }

  delete(place: number): void {
    const at = this.#bucketOf(place);
    const bucket = this.#buckets[at];
    if (bucket === undefined) return;
    const index = indexOf(bucket, place);
    if (bucket[index]?.place !== place) return;
    bucket.splice(index, 1);
    if (bucket.length === 0) this.#buckets.splice(at, 1);
  }

  /** From the last one before `from`, or from the first, up to `to`. */
  *between(from: number, to: number): Generator<T> {
    let start = this.#bucketOf(from);
    // The last before it is in the bucket before where it begins one.
    if (start > 0 && this.#buckets[start]![0]!.place === from) start--;
    let index = Math.max(0, indexOf(this.#buckets[start] ?? [], from) - 1);
    for (let at = start; at < this.#buckets.length; at++) {
      const bucket = this.#buckets[at]!;
      for (; index < bucket.length; index++) {
        const { place, item } = bucket[index]!;
        if (place > to) return;
        yield item;
      }
      index = 0;
    }
  }

  /** The bucket that the place is in or belongs into: the last that does not begin behind it, or the first. */
  #bucketOf(place: number): number {
    let low = 0;
    let high = this.#buckets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#buckets[middle]![0]!.place <= place) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Of the first entry that is not before the place. */
function indexOf(bucket: readonly Entry<unknown>[], place: number): number {
  let low = 0;
  let high = bucket.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bucket[middle]!.place < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
