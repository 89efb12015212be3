/** A splittable DoFn whose event time goes on tick by tick. */
import type {
  ProcessContinuation,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../../transforms/primitives/do-fn.js";
import {
  type ManualWatermarkEstimator,
  manualWatermarkEstimator,
} from "../../../transforms/primitives/watermark-estimator.js";
import { type OffsetRange, OffsetRangeTracker } from "./offset-range.js";
import { kv } from "./sources.js";

const DONE: ProcessContinuation = { resume: false };

/** Emits the numbers of a range, one a call and 100 ms apart, each at ten times its value. */
export abstract class TicksFn<State> implements SplittableDoFn<string, OffsetRange, number, State> {
  readonly to: number;
  readonly delayMs: number;

  constructor(to: number, delayMs = 100) {
    this.to = to;
    this.delayMs = delayMs;
  }

  initialRestriction(): OffsetRange {
    return { from: 0, to: this.to };
  }

  createTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(
    key: string,
    tracker: OffsetRangeTracker,
    context: SplittableProcessContext<State>,
  ): ProcessContinuation {
    const tick = tracker.currentRestriction().from;
    if (!tracker.tryClaim(tick)) return DONE;
    context.output(kv(key, tick), 10 * tick);
    this.ticked(10 * tick, context);
    return { resume: true, delayMs: this.delayMs };
  }

  ticked(_timestampMs: number, _context: SplittableProcessContext<State>): void {}
}

/** Tells its watermark by hand: up to the next tick, everything is out. */
export class ManualTicksFn extends TicksFn<number> {
  initialWatermarkState(_key: string, _range: OffsetRange, timestampMs: number): number {
    return timestampMs;
  }

  createWatermarkEstimator(state: number): ManualWatermarkEstimator {
    return manualWatermarkEstimator(state);
  }

  override ticked(timestampMs: number, context: SplittableProcessContext<number>): void {
    (context.watermarkEstimator as ManualWatermarkEstimator).setWatermark(timestampMs + 10);
  }
}
