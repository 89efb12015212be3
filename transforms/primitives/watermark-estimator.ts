/** Watermark estimators: how a splittable DoFn tells up to which event time it has emitted everything. */
import { MIN_TIMESTAMP_MS } from "./timestamp-bounds.js";

/** Its state travels with the residual, and never goes back. */
export interface WatermarkEstimator<State = unknown> {
  /** Nothing will be emitted before this event time any more. */
  currentWatermarkMs(): number;
  /** What the estimator of the residual is created from. JSON, like a restriction. */
  state(): State;
  /** Told the event time of each output, if it is there. */
  observeTimestamp?(timestampMs: number): void;
}

/** One that the DoFn sets by hand. */
export interface ManualWatermarkEstimator extends WatermarkEstimator<number> {
  /** @throws when it would go back. */
  setWatermark(watermarkMs: number): void;
}

/** Starts at `stateMs` and moves when told. */
export function manualWatermarkEstimator(stateMs: number = MIN_TIMESTAMP_MS): ManualWatermarkEstimator {
  let watermarkMs = stateMs;
  return {
    currentWatermarkMs: () => watermarkMs,
    state: () => watermarkMs,
    setWatermark(nextMs) {
      if (nextMs < watermarkMs) {
        throw new Error(`a watermark must not go back: ${watermarkMs} → ${nextMs}`);
      }
      watermarkMs = nextMs;
    },
  };
}

/** For outputs in the order of their event times: the watermark is the last one's. */
export function monotonicWatermarkEstimator(stateMs: number = MIN_TIMESTAMP_MS): WatermarkEstimator<number> {
  let watermarkMs = stateMs;
  return {
    currentWatermarkMs: () => watermarkMs,
    state: () => watermarkMs,
    observeTimestamp(timestampMs) {
      watermarkMs = Math.max(watermarkMs, timestampMs);
    },
  };
}
