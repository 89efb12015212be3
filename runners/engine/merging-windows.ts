/** The windows of each key that are open, where windows merge, and which of them new windows belong to. */
import type { Window } from "./element.js";
import type { KeyWindow } from "./key-window.js";
import { OpenWindows } from "./open-windows.js";
import type { WindowingStrategy } from "./windowing-strategy.js";

/** Some windows of one key become one. */
export interface WindowMerge {
  readonly merged: Window;
  /** Those that hold something already. */
  readonly sources: readonly KeyWindow[];
}

export interface MergePlan {
  readonly merges: readonly WindowMerge[];
  /** Into which window each new window went, by id; absent: it stayed itself. */
  readonly mergedOf: ReadonlyMap<string, Window>;
}

const NOTHING_MERGES: MergePlan = { merges: [], mergedOf: new Map() };

/** All of it is derived from the keys' windows. */
export class MergingWindows {
  readonly #windowFn: WindowingStrategy["windowFn"];
  /** By key; closed ones are no longer in it. */
  readonly #active = new Map<string, OpenWindows>();

  constructor(windowFn: WindowingStrategy["windowFn"]) {
    this.#windowFn = windowFn;
  }

  add(entry: KeyWindow): void {
    let windows = this.#active.get(entry.keyId);
    if (windows === undefined) {
      windows = new OpenWindows(this.#windowFn.startMsOf);
      this.#active.set(entry.keyId, windows);
    }
    windows.add(entry);
  }

  /** Takes out what goes into another window of the key, which is added next. */
  replace(entry: KeyWindow): void {
    this.#active.get(entry.keyId)?.delete(entry);
  }

  delete(entry: KeyWindow): void {
    const windows = this.#active.get(entry.keyId);
    windows?.delete(entry);
    if (windows?.size === 0) this.#active.delete(entry.keyId);
  }

  /** What becomes of a key's windows when elements come into `fresh` ones. */
  plan(keyId: string, fresh: ReadonlyMap<string, Window>): MergePlan {
    const active = this.#active.get(keyId);
    if (active === undefined && fresh.size <= 1) return NOTHING_MERGES;
    const windows = new Map<string, Window>();
    for (const entry of active?.near(fresh.values()) ?? [])
      windows.set(entry.group.window.id, entry.group.window);
    const activeCount = windows.size;
    for (const window of fresh.values()) if (!windows.has(window.id)) windows.set(window.id, window);
    // What is open has been merged already.
    if (windows.size === activeCount || windows.size === 1) return NOTHING_MERGES;

    const mergedOf = new Map<string, Window>();
    const merges: WindowMerge[] = [];
    for (const { merged, from } of this.#windowFn.merge([...windows.values()])) {
      const sources: KeyWindow[] = [];
      for (const window of from) {
        if (!windows.has(window.id)) throw new Error(`window ${window.id} was merged but is not there`);
        if (mergedOf.has(window.id)) throw new Error(`window ${window.id} was merged into two windows`);
        mergedOf.set(window.id, merged);
        const source = active?.get(window.id);
        if (source !== undefined) sources.push(source);
      }
      if (active?.get(merged.id) !== undefined && mergedOf.get(merged.id) !== merged) {
        throw new Error(`windows were merged into window ${merged.id}, which is there but not one of them`);
      }
      merges.push({ merged, sources });
    }
    return { merges, mergedOf };
  }
}
