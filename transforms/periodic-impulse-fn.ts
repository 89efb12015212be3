/** The splittable DoFn of `periodicImpulse`: a range of numbers, each of which is due at its time. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type {
  Clock,
  ProcessContinuation,
  SetupContext,
  SplittableDoFn,
  SplittableProcessContext,
} from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { type OffsetRange, OffsetRangeTracker, OPEN_END } from "./primitives/offset-range-tracker.js";
import { systemClock } from "./primitives/system-clock.js";
import { type ManualWatermarkEstimator, manualWatermarkEstimator } from "./primitives/watermark-estimator.js";

export type PeriodicImpulseConfig = {
  readonly startMs: number;
  readonly intervalMs: number;
  /** Not reached any more. */
  readonly stopMs?: number;
};

/** After so many outputs of one call others get their turn: a host that wants to split, or to stop. */
const OUTPUTS_PER_TURN = 4096;

/** Its restriction is a range of n; the element n is due, and has the event time, at startMs + n × intervalMs. */
export class PeriodicImpulseFn implements SplittableDoFn<unknown, OffsetRange, number, number> {
  readonly #config: PeriodicImpulseConfig;
  #clock: Clock = systemClock;

  constructor(config: PeriodicImpulseConfig) {
    this.#config = config;
  }

  setup({ clock }: SetupContext): void {
    this.#clock = clock;
  }

  initialRestriction(): OffsetRange {
    const { startMs, intervalMs, stopMs } = this.#config;
    return { start: 0, end: stopMs === undefined ? OPEN_END : Math.ceil((stopMs - startMs) / intervalMs) };
  }

  createTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range, () => this.#firstNotDue());
  }

  restrictionSize(_impulse: unknown, { start, end }: OffsetRange): number {
    return Math.max(0, Math.min(end, this.#firstNotDue()) - start);
  }

  /** A drain ends a bounded one too: what is due in an hour would be waited for. */
  truncateRestriction(): undefined {
    return undefined;
  }

  /** Nothing comes before the first of the range. */
  initialWatermarkState(_impulse: unknown, { start }: OffsetRange): number {
    return this.#dueMs(start);
  }

  createWatermarkEstimator(stateMs: number): ManualWatermarkEstimator {
    return manualWatermarkEstimator(stateMs);
  }

  async process(
    _impulse: unknown,
    tracker: OffsetRangeTracker,
    context: SplittableProcessContext<number>,
  ): Promise<ProcessContinuation> {
    const estimator = context.watermarkEstimator as ManualWatermarkEstimator;
    const { start } = tracker.currentRestriction();
    // A host may split in between.
    const isLeft = (n: number) => n < tracker.currentRestriction().end;
    let n = start;
    for (; isLeft(n) && this.#dueMs(n) <= this.#clock.now(); n++) {
      if (!tracker.tryClaim(n)) return { resume: false };
      context.output(this.#dueMs(n), this.#dueMs(n));
      // The next one comes at exactly this time, and nothing before it.
      estimator.setWatermark(this.#dueMs(n + 1));
      await context.room();
      if ((n - start + 1) % OUTPUTS_PER_TURN === 0) await nextTurn();
    }
    if (!isLeft(n)) return { resume: false };
    return { resume: true, delayMs: Math.max(0, this.#dueMs(n) - this.#clock.now()) };
  }

  #dueMs(n: number): number {
    return this.#config.startMs + n * this.#config.intervalMs;
  }

  #firstNotDue(): number {
    const { startMs, intervalMs } = this.#config;
    return Math.max(0, Math.floor((this.#clock.now() - startMs) / intervalMs) + 1);
  }
}

export const PERIODIC_IMPULSE_FN = registerDoFn(
  "periodic-impulse@1",
  (config: PeriodicImpulseConfig) => new PeriodicImpulseFn(config),
);
