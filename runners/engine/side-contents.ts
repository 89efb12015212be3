/** What a PCollection that is read as a side input holds, by window: of each key that fires panes the latest firing. */
import type { Consumer } from "./collection.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { SideRecords } from "./durable/side-records.js";
import type { StateLog } from "./durable/state-log.js";
import type { Element, Window } from "./element.js";
import { TimeHeap } from "./time-heap.js";
import { WindowContents } from "./window-contents.js";

const NOTHING: readonly unknown[] = Object.freeze([]);

export class SideContents implements Consumer {
  readonly #windows = new Map<string, WindowContents>();
  /** By their ends: in this order they go. */
  readonly #byEnd = new TimeHeap<Window>();
  readonly #isGone: (window: Window) => boolean;
  #opened = 0;

  /** @param isGone whether nobody can read a window any more */
  constructor(
    isGone: (window: Window) => boolean,
    private readonly records?: SideRecords | undefined,
  ) {
    this.#isGone = isGone;
  }

  writeState(log: StateLog): void {
    this.records?.write(log, this.#windows.values());
  }

  restoreState(restored: RestoredState): void {
    this.records?.restore(restored, (window, number) => {
      this.#opened = number;
      return this.#contents(window);
    });
  }

  receive(elements: readonly Element[]): void {
    for (const element of elements) {
      for (const window of element.windows) {
        if (this.#isGone(window)) continue;
        const contents = this.#contents(window);
        const firing = contents.add(element);
        if (firing !== undefined) this.records?.changed(contents, firing);
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
      const contents = this.#windows.get(first.id);
      if (contents !== undefined) this.records?.removed(contents);
      this.#windows.delete(first.id);
    }
  }

  #contents(window: Window): WindowContents {
    let contents = this.#windows.get(window.id);
    if (contents === undefined) {
      contents = new WindowContents(window, this.#opened++);
      this.#windows.set(window.id, contents);
      this.#byEnd.push(window.maxTimestampMs, window);
    }
    return contents;
  }
}
