/** What the engine counts from its start on, told epoch by epoch: metrics belong to an epoch. */
import type { EpochMetrics } from "../job/metrics-store.js";

export class EngineCounters {
  /** By `<node id>\t<name>`. */
  readonly #counters: ReadonlyMap<string, number>;
  readonly #told: Map<string, number>;

  /** What was counted up to now is an earlier run's. */
  constructor(counters: ReadonlyMap<string, number>) {
    this.#counters = counters;
    this.#told = new Map(counters);
  }

  /** Whether there is something to tell. */
  get haveMoved(): boolean {
    for (const [id, count] of this.#counters) if (this.#told.get(id) !== count) return true;
    return false;
  }

  /** Adds what was counted since the last call. */
  tell(metrics: EpochMetrics): void {
    for (const [id, count] of this.#counters) {
      const [step, name] = id.split("\t") as [string, string];
      const told = this.#told.get(id) ?? 0;
      if (count !== told)
        metrics
          .of(step)
          .counter(name)
          .inc(count - told);
      this.#told.set(id, count);
    }
  }
}
