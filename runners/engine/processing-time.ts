/** The processing time that all nodes of an engine share. */

export class ProcessingTime {
  #ms: number;

  constructor(ms: number) {
    this.#ms = ms;
  }

  get ms(): number {
    return this.#ms;
  }

  /** As an earlier process had made it, whatever the clock says. */
  restore(ms: number): void {
    this.#ms = ms;
  }

  /** Moves on; a clock that was set back does not move it. True if it moved. */
  advanceTo(ms: number): boolean {
    if (!(ms > this.#ms)) return false;
    this.#ms = ms;
    return true;
  }
}
