/** What a PCollection that is read as a side input holds, by window. */
import type { Consumer } from "./collection.js";
import type { Element, Window } from "./element.js";

const NOTHING: readonly unknown[] = Object.freeze([]);

export class SideContents implements Consumer {
  readonly #windows = new Map<string, WindowContents>();
  readonly #isGone: (window: Window) => boolean;
  readonly #replacesPanes: boolean;

  /**
   * @param isGone whether nobody can read a window any more
   * @param replacesPanes whether a later pane stands for the earlier ones
   */
  constructor(isGone: (window: Window) => boolean, replacesPanes: boolean) {
    this.#isGone = isGone;
    this.#replacesPanes = replacesPanes;
  }

  receive(elements: readonly Element[]): void {
    for (const element of elements) {
      for (const window of element.windows) {
        if (!this.#isGone(window)) this.#contents(window).add(element, this.#replacesPanes);
      }
    }
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
    for (const [id, { window }] of this.#windows) if (this.#isGone(window)) this.#windows.delete(id);
  }

  #contents(window: Window): WindowContents {
    let contents = this.#windows.get(window.id);
    if (contents === undefined) {
      contents = new WindowContents(window);
      this.#windows.set(window.id, contents);
    }
    return contents;
  }
}

interface Pane {
  readonly index: number;
  values: unknown[];
}

class WindowContents {
  readonly #panes = new Map<string, Pane>();
  #shown: readonly unknown[] | undefined;

  constructor(readonly window: Window) {}

  add(element: Element, replacesPanes: boolean): void {
    const scope = replacesPanes ? scopeOf(element.value) : "";
    const index = replacesPanes ? element.pane.index : 0;
    const pane = this.#panes.get(scope);
    if (pane === undefined || pane.index < index) {
      this.#panes.set(scope, { index, values: [element.value] });
    } else if (pane.index === index) {
      if (this.#shown === pane.values) pane.values = [...pane.values];
      pane.values.push(element.value);
    } else {
      return;
    }
    this.#shown = undefined;
  }

  values(): readonly unknown[] {
    if (this.#shown === undefined) {
      const panes = [...this.#panes.values()];
      this.#shown = panes.length === 1 ? panes[0]!.values : panes.flatMap(({ values }) => values);
    }
    return this.#shown;
  }
}

/** Panes are numbered by key: those of `{ key, value }` with different plain keys have nothing to do with each other. */
function scopeOf(value: unknown): string {
  if (typeof value !== "object" || value === null || !("key" in value) || !("value" in value)) return "";
  const { key } = value;
  return typeof key === "object" && key !== null ? "" : `${typeof key} ${String(key)}`;
}
