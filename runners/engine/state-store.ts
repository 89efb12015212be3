/** Keyed state by stage root: what a host reads and writes while a key is processed. */
import type { Window } from "./element.js";
import type { KeyCells } from "./key-cells.js";
import { KeySlots } from "./key-slots.js";

export class StateStore {
  readonly #roots = new Map<string, KeySlots>();

  /** The keys of a root, which the root itself looks after. */
  add(root: string, slots: KeySlots): void {
    this.#roots.set(root, slots);
  }

  /** Whether the key has asked for its cells in the window, and they are in memory since. */
  has(root: string, keyId: string, window: Window): boolean {
    return this.#roots.get(root)?.resident(keyId, window.id)?.cells !== undefined;
  }

  /** The cells of a key in a window; they come into being here. Whoever holds them asks for them again in a later bundle. */
  cells(root: string, keyId: string, window: Window): KeyCells {
    let slots = this.#roots.get(root);
    if (slots === undefined) {
      slots = new KeySlots(0);
      this.#roots.set(root, slots);
    }
    return slots.cells(keyId, window);
  }
}
