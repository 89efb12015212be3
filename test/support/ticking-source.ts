/** A source for tests: counts from 0, some numbers a bundle, at event times a second apart. */
import type {
  ProcessContinuation,
  RestrictionTracker,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { manualWatermarkEstimator } from "../../transforms/primitives/watermark-estimator.js";

export interface TickingConfig {
  /** Numbers until it waits. */
  readonly atOnce: number;
  /** Then it waits so long, for ever anew; null: it ends there. */
  readonly delayMs: number | null;
}

interface Range {
  readonly from: number;
  readonly to: number | null;
}

class RangeTracker implements RestrictionTracker<Range, number> {
  #range: Range;
  #next: number;
  constructor(range: Range) {
    this.#range = range;
    this.#next = range.from;
  }
  tryClaim(position: number): boolean {
    if (this.#range.to !== null && position >= this.#range.to) return false;
    this.#next = position + 1;
    return true;
  }
  trySplit(): { primary: Range; residual: Range } | undefined {
    const { from, to } = this.#range;
    if (to !== null && this.#next >= to) return undefined;
    this.#range = { from, to: this.#next };
    return { primary: this.#range, residual: { from: this.#next, to } };
  }
  currentRestriction(): Range {
    return this.#range;
  }
}

class TickingFn implements SplittableDoFn<unknown, Range, number, number> {
  constructor(readonly config: TickingConfig) {}

  initialRestriction(): Range {
    return { from: 0, to: null };
  }
  createTracker(range: Range): RangeTracker {
    return new RangeTracker(range);
  }
  initialWatermarkState(): number {
    return 0;
  }
  createWatermarkEstimator = manualWatermarkEstimator;

  process(
    _element: unknown,
    tracker: RestrictionTracker<Range, number>,
    context: SplittableProcessContext<number>,
  ): ProcessContinuation {
    const { atOnce, delayMs } = this.config;
    const { from } = tracker.currentRestriction();
    for (let n = from; n < from + atOnce; n++) {
      if (!tracker.tryClaim(n)) return { resume: true, delayMs: 0 };
      context.output(n, n * 1_000);
      (context.watermarkEstimator as ReturnType<typeof manualWatermarkEstimator>).setWatermark(n * 1_000);
    }
    return delayMs === null ? { resume: false } : { resume: true, delayMs };
  }
}

export const TICKING_SOURCE = registerDoFn(
  "ticking_source@test",
  (config: TickingConfig) => new TickingFn(config),
);
