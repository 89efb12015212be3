/** Whether the sources of a job stand still because somebody asked for it; it outlives a run that failed. */
export class Pausing {
  #isPaused = false;
  #onChange: () => void = () => undefined;

  get isPaused(): boolean {
    return this.#isPaused;
  }

  set(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    this.#onChange();
  }

  /** Calls back at each change; there is one listener, the loop that runs. */
  whenChanged(callback: () => void): void {
    this.#onChange = callback;
  }
}
