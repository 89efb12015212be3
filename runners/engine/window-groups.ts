/** The windows that a GroupByKey knows, each with its keys and with the time at which it ends or expires. */
import type { TrackedItems } from "./durable/tracked-items.js";
import type { Window } from "./element.js";
import { createGroup, type WindowGroup } from "./key-window.js";
import { TimerIndex } from "./timer-index.js";

interface WindowTimer {
  readonly id: string;
  readonly fireAtMs: number;
  readonly group: WindowGroup;
}

export class WindowGroups {
  readonly #allowedLatenessMs: number;
  readonly #groups = new Map<string, WindowGroup>();
  /** Of each window one: its end, then its expiry. */
  readonly #timers = new TimerIndex<WindowTimer>();
  #last: WindowGroup | undefined;
  #settings = 0;

  constructor(
    allowedLatenessMs: number,
    private readonly tracked?: TrackedItems<WindowGroup> | undefined,
  ) {
    this.#allowedLatenessMs = allowedLatenessMs;
  }

  /** All windows. */
  get all(): Iterable<WindowGroup> {
    return this.#groups.values();
  }

  /** Takes a window of an earlier process; by order. */
  restore(window: Window, order: number, inputWatermarkMs: number): WindowGroup {
    this.#settings = order;
    const group = this.open(window, inputWatermarkMs);
    this.tracked?.replace(group);
    return group;
  }

  get(window: Window): WindowGroup | undefined {
    // Elements come in runs of the same window.
    if (this.#last?.window === window) return this.#last;
    const group = this.#groups.get(window.id);
    if (group !== undefined) this.#last = group;
    return group;
  }

  /** Keys in all windows: counted when asked. */
  get keyCount(): number {
    let count = 0;
    for (const { keys } of this.#groups.values()) count += keys.size;
    return count;
  }

  open(window: Window, inputWatermarkMs: number): WindowGroup {
    const group = createGroup(window, this.#allowedLatenessMs);
    this.#groups.set(window.id, group);
    this.#setTimer(group, inputWatermarkMs > group.endMs ? group.expiryMs : group.endMs);
    return group;
  }

  delete(group: WindowGroup): void {
    this.#groups.delete(group.window.id);
    this.#timers.delete(group.window.id);
    if (this.#last === group) this.#last = undefined;
    this.tracked?.remove(group);
  }

  /**
   * The next window that ended or expired; one that ended comes again when it expires. If it has done both since,
   * it has expired: what it then emits is the last pane, and says so.
   */
  takeDue(
    inputWatermarkMs: number,
  ): { readonly group: WindowGroup; readonly isExpired: boolean } | undefined {
    const timer = this.#timers.peek();
    if (timer === undefined || timer.fireAtMs >= inputWatermarkMs) return undefined;
    const { group } = timer;
    const isExpired = inputWatermarkMs > group.expiryMs;
    if (isExpired) this.#timers.delete(timer.id);
    else this.#setTimer(group, group.expiryMs);
    return { group, isExpired };
  }

  #setTimer(group: WindowGroup, fireAtMs: number): void {
    group.order = this.#settings++;
    this.#timers.set({ id: group.window.id, fireAtMs, group });
    this.tracked?.put(group);
  }
}
