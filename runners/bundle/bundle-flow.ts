/** What the steps of a processor share about the bundle under way: its scope, its first failure, where elements queue. */
import type { BundleScope } from "./host.js";

/** Whoever feeds the first steps stands before all of them. */
export const BEFORE_ALL_STEPS = -1;
/** Whoever takes what leaves the stage stands behind all of them. */
const BEHIND_ALL_STEPS = Number.MAX_SAFE_INTEGER;

export class BundleFlow {
  /** The first failure; the bundle is lost with it. */
  failure: Error | undefined;
  /**
   * Place of the last step that has elements queueing before it. A producer waits while it is behind its
   * own place: a step never waits for itself or for one before it, so waiting always ends.
   */
  lastQueueAt = BEFORE_ALL_STEPS;
  #scope: BundleScope | undefined;
  readonly #queueing = new Set<number>();
  #waiting: { readonly place: number; readonly go: () => void }[] = [];

  /** The bundle's. @throws outside of a bundle. */
  get scope(): BundleScope {
    if (this.#scope === undefined) throw new Error("no bundle is under way: its context was used too late");
    return this.#scope;
  }

  /** @throws when the last bundle was not finished. */
  begin(scope: BundleScope): void {
    if (this.#scope !== undefined) throw new Error("a bundle was started before the last one was finished");
    this.#scope = scope;
  }

  end(): void {
    this.#scope = undefined;
  }

  fail<Failure extends Error>(error: Failure): Failure {
    this.failure ??= error;
    this.#wake();
    return error;
  }

  /** Whoever takes what leaves the stage tells whether it has taken all it can for now. */
  setBlocked(isBlocked: boolean): void {
    this.setQueueing(BEHIND_ALL_STEPS, isBlocked);
  }

  /** The step at a place tells whether elements queue before it. */
  setQueueing(place: number, isQueueing: boolean): void {
    if (this.#queueing.has(place) === isQueueing) return;
    if (isQueueing) this.#queueing.add(place);
    else this.#queueing.delete(place);
    this.lastQueueAt = Math.max(BEFORE_ALL_STEPS, ...this.#queueing);
    this.#wake();
  }

  /** Resolves when nothing queues behind the place any more, or the bundle has failed. */
  room(place: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ place, go: resolve });
      this.#wake();
    });
  }

  #wake(): void {
    const mayGo = (place: number) => this.failure !== undefined || this.lastQueueAt <= place;
    const going = this.#waiting.filter(({ place }) => mayGo(place));
    if (going.length === 0) return;
    this.#waiting = this.#waiting.filter(({ place }) => !mayGo(place));
    for (const { go } of going) go();
  }
}
