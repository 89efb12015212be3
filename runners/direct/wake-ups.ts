/** What sources that wait brought along to end their wait earlier: which roots need not wait any longer. */

export interface WokenRoot {
  readonly stage: string;
  readonly root: string;
}

export class WakeUps {
  readonly #onWake: () => void;
  /** A source may bring the same promise along each time: one that stays open would remember every time. */
  readonly #known = new WeakMap<Promise<void>, Set<string>>();
  #woken: WokenRoot[] = [];

  constructor(onWake: () => void) {
    this.#onWake = onWake;
  }

  get isEmpty(): boolean {
    return this.#woken.length === 0;
  }

  /** The root is woken when the promise settles, once. */
  add(woken: WokenRoot, wake: Promise<void>): void {
    let roots = this.#known.get(wake);
    if (roots === undefined) {
      roots = new Set();
      this.#known.set(wake, roots);
    }
    if (roots.has(woken.root)) return;
    roots.add(woken.root);
    const wakeUp = () => {
      this.#woken.push(woken);
      this.#onWake();
    };
    wake.then(wakeUp, wakeUp);
  }

  /** Those that were woken since the last call. */
  take(): WokenRoot[] {
    return this.#woken.splice(0);
  }
}
