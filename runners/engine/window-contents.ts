/** What a side input holds for one window: of each key that fires panes the latest firing. */
import type { Element, Window } from "./element.js";
import { FiredPane } from "./pane-tracker.js";

export interface Firing {
  readonly index: number;
  values: unknown[];
  /** Firings of a window come in this order. */
  readonly number: number;
}

/**
 * Beam takes the value of the latest firing, accumulating or not; by key and window of the grouping that fired, since
 * firings of different ones have nothing to do with each other. What no trigger fired stays.
 */
export class WindowContents {
  /** By source; undefined: what nothing takes the place of. */
  readonly #firings = new Map<string | undefined, Firing>();
  #shown: readonly unknown[] | undefined;
  #numbers = 0;

  /** @param number windows are opened in this order */
  constructor(
    readonly window: Window,
    readonly number: number,
  ) {}

  /** By source. */
  get firings(): ReadonlyMap<string | undefined, Firing> {
    return this.#firings;
  }

  /** Takes a firing of an earlier process; by number. */
  restore(source: string | undefined, firing: Firing): void {
    this.#firings.set(source, firing);
    this.#numbers = firing.number + 1;
  }

  /** The source of the firing that it is now part of; undefined: one before the latest. */
  add({
    value,
    pane,
  }: Element): { readonly source: string | undefined; readonly firing: Firing } | undefined {
    const source = FiredPane.sourceOf(pane);
    const index = source === undefined ? 0 : pane.index;
    const firing = this.#firings.get(source);
    if (firing === undefined || firing.index < index) {
      const number = firing?.number ?? this.#numbers++;
      this.#firings.set(source, { index, values: [value], number });
    } else if (firing.index === index) {
      if (this.#shown === firing.values) firing.values = [...firing.values];
      firing.values.push(value);
    } else {
      return undefined;
    }
    this.#shown = undefined;
    return { source, firing: this.#firings.get(source)! };
  }

  values(): readonly unknown[] {
    if (this.#shown === undefined) {
      const firings = [...this.#firings.values()];
      this.#shown = firings.length === 1 ? firings[0]!.values : firings.flatMap(({ values }) => values);
    }
    return this.#shown;
  }
}
