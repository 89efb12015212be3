/** What a PCollection that is read as a side input holds, by window: of each key that fires panes the latest firing. */
import type { Consumer } from "./collection.js";
import type { Element, Window } from "./element.js";
import { FiredPane } from "./pane-tracker.js";
import { TimeHeap } from "./time-heap.js";

const NOTHING: readonly unknown[] = Object.freeze([]);

export class SideContents implements Consumer {
  readonly #windows = new Map<string, WindowContents>();
  /** By their ends: in this order they go. */
  readonly #byEnd = new TimeHeap<Window>();
  readonly #isGone: (window: Window) => boolean;
  #opened = 0;

  /** @param isGone whether nobody can read a window any more */
  constructor(isGone: (window: Window) => boolean) {
    this.#isGone = isGone;
  }

  receive(elements: readonly Element[]): void {
    for (const element of elements) {
      for (const window of element.windows) {
        if (!this.#isGone(window)) this.#contents(window).add(element);
      }
    }
  }

  /** How many windows have had something, since the start. */
  get opened(): number {
    return this.#opened;
  }

  has(window: Window): boolean {
    return this.#windows.has(window.id);
  }

  /** All values of the window, in the order of their coming. Stays as it is when more come. */
  values(window: Window): readonly unknown[] {
    return this.#windows.get(window.id)?.values() ?? NOTHING;
  }

  /** Forgets the windows that nobody can read any more. */
  collectGarbage(): void {
    for (;;) {
      const first = this.#byEnd.first;
      if (first === undefined || !this.#isGone(first)) return;
      this.#byEnd.pop();
      this.#windows.delete(first.id);
    }
  }

  #contents(window: Window): WindowContents {
    let contents = this.#windows.get(window.id);
    if (contents === undefined) {
      contents = new WindowContents();
      this.#windows.set(window.id, contents);
      this.#byEnd.push(window.maxTimestampMs, window);
      this.#opened++;
    }
    return contents;
  }
}

interface Firing {
  readonly index: number;
  values: unknown[];
}

/**
 * Beam takes the value of the latest firing, accumulating or not; by key and window of the grouping that fired, since
 * firings of different ones have nothing to do with each other. What no trigger fired stays.
 */
class WindowContents {
  /** By source; undefined: what nothing takes the place of. */
  readonly #firings = new Map<string | undefined, Firing>();
  #shown: readonly unknown[] | undefined;

  add({ value, pane }: Element): void {
    const source = FiredPane.sourceOf(pane);
    const index = source === undefined ? 0 : pane.index;
    const firing = this.#firings.get(source);
    if (firing === undefined || firing.index < index) {
      this.#firings.set(source, { index, values: [value] });
    } else if (firing.index === index) {
      if (this.#shown === firing.values) firing.values = [...firing.values];
      firing.values.push(value);
    } else {
      return;
    }
    this.#shown = undefined;
  }

  values(): readonly unknown[] {
    if (this.#shown === undefined) {
      const firings = [...this.#firings.values()];
      this.#shown = firings.length === 1 ? firings[0]!.values : firings.flatMap(({ values }) => values);
    }
    return this.#shown;
  }
}
