/** Collects the items of a bundle by key, in the order of their coming. */
import type { KeyedItem, KeyedWork } from "./bundle.js";

export class KeyedWorkList {
  readonly #byKey = new Map<string, { keyId: string; key: unknown; items: KeyedItem[] }>();

  add(keyId: string, key: unknown, item: KeyedItem): void {
    const work = this.#byKey.get(keyId);
    if (work === undefined) this.#byKey.set(keyId, { keyId, key, items: [item] });
    else work.items.push(item);
  }

  keys(): KeyedWork[] {
    return [...this.#byKey.values()];
  }
}
