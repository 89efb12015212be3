/** The first of the timers or holds whose keys are not in memory. */
import type { ColdFound, ColdKeys, ColdOrderName, ColdPlace } from "./durable/cold-keys.js";

const FIRST: ColdPlace = { ms: Number.NEGATIVE_INFINITY, number: 0 };
/** Behind all there are, timers that never fire of themselves too. */
const END: ColdPlace = { ms: Number.POSITIVE_INFINITY, number: 2 ** 48 - 1 };

export class ColdOrder {
  /** Whatever is before it is of keys in memory. */
  #from: ColdPlace = FIRST;
  #first: ColdFound | undefined;
  #isKnown = false;

  constructor(
    private readonly cold: ColdKeys,
    private readonly root: string,
    private readonly order: ColdOrderName,
    private readonly isCold: (keyId: string, windowId: string) => boolean,
  ) {}

  get first(): ColdFound | undefined {
    const first = this.#first;
    if (this.#isKnown && (first === undefined || this.isCold(first.keyId, first.windowId))) return first;
    this.#first = undefined;
    this.#isKnown = true;
    for (const found of this.cold.inOrder(this.root, this.order, this.#from)) {
      if (!this.isCold(found.keyId, found.windowId)) continue;
      this.#first = found;
      this.#from = found;
      return found;
    }
    this.#from = END;
    return undefined;
  }

  /** A key has come into memory: what it leaves it with is another matter. */
  came(keyId: string, windowId: string): void {
    if (this.#first?.keyId === keyId && this.#first.windowId === windowId) this.#isKnown = false;
  }

  /** A key with such a timer has left the memory. */
  left(place: ColdPlace): void {
    if (!isBefore(place, this.#from)) return;
    this.#from = { ms: place.ms, number: place.number };
    this.#isKnown = false;
  }
}

export function isBefore(a: ColdPlace, b: ColdPlace): boolean {
  return a.ms === b.ms ? a.number < b.number : a.ms < b.ms;
}
