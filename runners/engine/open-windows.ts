/** The windows of one key that are open, where windows merge. */
import type { Window } from "./element.js";
import type { KeyWindow } from "./key-window.js";
import { SortedEntries } from "./sorted-entries.js";

/**
 * Found by id and, where only windows that overlap merge, by start: a key may have as many open sessions as a whole
 * bounded input holds, and none but its neighbours matter to a new one.
 */
export class OpenWindows {
  readonly #startMsOf: ((window: Window) => number) | undefined;
  readonly #byId = new Map<string, KeyWindow>();
  /** By start, of which they have each its own: they do not overlap, since they have been merged. */
  readonly #inOrder = new SortedEntries<KeyWindow>();

  constructor(startMsOf: ((window: Window) => number) | undefined) {
    this.#startMsOf = startMsOf;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): KeyWindow | undefined {
    return this.#byId.get(id);
  }

  add(entry: KeyWindow): void {
    const { window } = entry.group;
    this.#byId.set(window.id, entry);
    if (this.#startMsOf !== undefined) this.#inOrder.set(this.#startMsOf(window), entry);
  }

  delete(entry: KeyWindow): void {
    const { window } = entry.group;
    if (this.#byId.get(window.id) !== entry) return;
    this.#byId.delete(window.id);
    if (this.#startMsOf !== undefined) this.#inOrder.delete(this.#startMsOf(window));
  }

  /** Those that one of these windows may merge with. */
  near(fresh: Iterable<Window>): Iterable<KeyWindow> {
    if (this.#startMsOf === undefined) return this.#byId.values();
    const found = new Set<KeyWindow>();
    for (const window of fresh) {
      // The one before may reach into it.
      for (const entry of this.#inOrder.between(this.#startMsOf(window), window.maxTimestampMs)) {
        found.add(entry);
      }
    }
    return found;
  }
}
