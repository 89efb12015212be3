/** The last valid records of a run, kept as bytes so that one can be repeated exactly. */

/** No record, line end included, is longer: the longest ids, price and time come to less than this. */
export const recordBytesMax = 256;

/** A duplicate repeats one of this many records before it, so that repeats cross file borders. */
const recordsMax = 20_000;

/** A ring of records in fixed slots of one allocation, so that remembering makes no garbage. */
export class RecentRecords {
  readonly #slots = new Uint8Array(recordsMax * recordBytesMax);
  readonly #lengths = new Uint16Array(recordsMax);
  #next = 0;
  #count = 0;

  /** How many there are to choose from. */
  get count(): number {
    return this.#count;
  }

  /** Remembers `bytes` from `from` up to `to`; forgets the oldest record when full. */
  remember(bytes: Uint8Array, from: number, to: number): void {
    if (to - from > recordBytesMax)
      throw new RangeError(`record longer than ${recordBytesMax} bytes: ${to - from}`);
    const slot = this.#next * recordBytesMax;
    for (let index = 0; index < to - from; index++) this.#slots[slot + index] = bytes[from + index]!;
    this.#lengths[this.#next] = to - from;
    this.#next = (this.#next + 1) % recordsMax;
    this.#count = Math.min(this.#count + 1, recordsMax);
  }

  /** Writes the record number `index` (below `count`) at `at`; says where it ends. */
  write(bytes: Uint8Array, at: number, index: number): number {
    const slot = index * recordBytesMax;
    const length = this.#lengths[index]!;
    bytes.set(this.#slots.subarray(slot, slot + length), at);
    return at + length;
  }
}
