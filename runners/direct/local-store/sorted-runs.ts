/** Numbers of entries in the order of their keys: in a few runs, each in order, so that more can come at any time. */

/** Of a double: so many bits are a whole number still. */
const WHOLE_BITS = 53;
/** Of a key, behind what all have in common: what it is put in order by at first. */
const PREFIX_BITS = 32;

/** Entries with the numbers from 0 on, each with a key of its own. */
export interface NumberedKeys {
  compare(a: number, b: number): number;
  /** Bytes that the keys of these have in common at the beginning. */
  commonLength(from: number, until: number): number;
  /** Four bytes of a key, from this one on, as a number; those that it does not have are 0. */
  prefixOf(entry: number, at: number): number;
}

export class SortedRuns {
  readonly #keys: NumberedKeys;
  #runs: Int32Array[] = [];
  #size = 0;

  constructor(keys: NumberedKeys) {
    this.#keys = keys;
  }

  get all(): readonly Int32Array[] {
    return this.#runs;
  }

  /** Takes the entries that are new of so many. Each is merged a few times at the most, however few come at once. */
  extend(size: number): void {
    if (size === this.#size) return;
    this.#runs.push(inOrder(this.#keys, this.#size, size));
    this.#size = size;
    for (let last = this.#runs.length - 1; last > 0; last--) {
      const [long, short] = [this.#runs[last - 1]!, this.#runs[last]!];
      if (long.length > 2 * short.length) return;
      this.#runs.splice(last - 1, 2, merged(long, short, this.#keys));
    }
  }

  clear(): void {
    this.#runs = [];
    this.#size = 0;
  }
}

/** So many entries near the order of their keys: by the first bytes in which these differ. */
export function nearOrder(keys: NumberedKeys, count: number): Int32Array {
  const { numbers, factor } = orderOf(keys, 0, count);
  return Int32Array.from(numbers, (number) => number % factor);
}

function inOrder(keys: NumberedKeys, from: number, until: number): Int32Array {
  const { numbers, factor } = orderOf(keys, from, until);
  const order = Int32Array.from(numbers, (number) => from + (number % factor));
  for (let start = 0; start < order.length; ) {
    const prefix = Math.floor(numbers[start]! / factor);
    let end = start + 1;
    while (end < order.length && Math.floor(numbers[end]! / factor) === prefix) end++;
    if (end - start > 1) order.subarray(start, end).sort((a, b) => keys.compare(a, b));
    start = end;
  }
  return order;
}

/** Sorted without a function to compare by: each is its prefix, and behind it its number, counted from the first. */
function orderOf(keys: NumberedKeys, from: number, until: number): { numbers: Float64Array; factor: number } {
  const numbers = new Float64Array(until - from);
  const factor = factorOf(numbers.length);
  const dropped = Math.max(0, PREFIX_BITS + Math.log2(factor) - WHOLE_BITS);
  const common = keys.commonLength(from, until);
  for (let at = 0; at < numbers.length; at++) {
    numbers[at] = (keys.prefixOf(from + at, common) >>> dropped) * factor + at;
  }
  return { numbers: numbers.sort(), factor };
}

/** A power of two above all numbers. */
function factorOf(count: number): number {
  return 2 ** Math.ceil(Math.log2(count + 1));
}

function merged(a: Int32Array, b: Int32Array, keys: NumberedKeys): Int32Array {
  const both = new Int32Array(a.length + b.length);
  for (let at = 0, inA = 0, inB = 0; at < both.length; at++) {
    const isA = inB === b.length || (inA < a.length && keys.compare(a[inA]!, b[inB]!) < 0);
    both[at] = isA ? a[inA++]! : b[inB++]!;
  }
  return both;
}
