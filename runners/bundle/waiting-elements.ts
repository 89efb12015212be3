/** Elements that wait until an asynchronous step has room for them. */
import type { PaneInfo, Window } from "../engine/element.js";

interface WaitingElement {
  readonly value: unknown;
  readonly timestampMs: number;
  readonly windows: readonly Window[];
  readonly pane: PaneInfo;
}

/** How many taken places may lead the list before it is moved together. */
const LEADING_MAX = 1024;

/** First in, first out. Bounded by what one element of the bundle makes, as producers wait while it is not empty. */
export class WaitingElements {
  #elements: (WaitingElement | undefined)[] = [];
  #first = 0;

  get isEmpty(): boolean {
    return this.#first === this.#elements.length;
  }

  add(value: unknown, timestampMs: number, windows: readonly Window[], pane: PaneInfo): void {
    this.#elements.push({ value, timestampMs, windows, pane });
  }

  take(): WaitingElement | undefined {
    const element = this.#elements[this.#first];
    if (element === undefined) return undefined;
    this.#elements[this.#first++] = undefined;
    if (this.isEmpty) this.clear();
    else if (this.#first > LEADING_MAX) {
      this.#elements = this.#elements.slice(this.#first);
      this.#first = 0;
    }
    return element;
  }

  clear(): void {
    this.#elements = [];
    this.#first = 0;
  }
}
