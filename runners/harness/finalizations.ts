/** Callbacks that wait until a runner says that their bundle is committed: Beam's bundle finalization. */

/** A runner that has said nothing for so long will not. */
const KEPT_MS = 60 * 60 * 1000;

type Callback = () => void | Promise<void>;

export class Finalizations {
  /** By instruction, oldest first. */
  readonly #waiting = new Map<
    string,
    { readonly sinceMs: number; readonly callbacks: readonly Callback[] }
  >();

  constructor(private readonly now: () => number) {}

  keep(instructionId: string, callbacks: readonly Callback[]): void {
    this.#forgetOld();
    if (callbacks.length > 0) this.#waiting.set(instructionId, { sinceMs: this.now(), callbacks });
  }

  /** Calls them in the order in which they were given; a second time, or for an unknown bundle, none. */
  async run(instructionId: string): Promise<void> {
    const waiting = this.#waiting.get(instructionId);
    this.#waiting.delete(instructionId);
    for (const callback of waiting?.callbacks ?? []) await callback();
  }

  #forgetOld(): void {
    const oldestMs = this.now() - KEPT_MS;
    for (const [id, { sinceMs }] of this.#waiting) {
      if (sinceMs >= oldestMs) return;
      this.#waiting.delete(id);
    }
  }
}
