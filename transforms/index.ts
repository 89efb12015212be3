/** What the package exports as `millrace/transforms`: the Beam model's parts that the SDK lacks, and sinks, for pipelines of one's own. */
export { type Assertion, assertThat } from "./assert-that.js";
export { ASSERTIONS_PASSED, PipelineAssertionError, registerCheck } from "./assert-that-fn.js";
export { type CoGroups, coGroupByKey, type KeyedInputs } from "./co-group-by-key.js";
export { type CombineGloballyOptions, combineGlobally, type GloballyOptions } from "./combine-globally.js";
export { COUNT_FN, count } from "./count.js";
export { type DeduplicateByOptions, deduplicateBy } from "./deduplicate-by.js";
export { registerRepresentativeFn } from "./deduplicate-by-fn.js";
export { deduplicatePerKey } from "./deduplicate-per-key.js";
export type { DeduplicatePerKeyOptions } from "./deduplicate-per-key-fn.js";
export { type Comparable, max, min } from "./extremes.js";
export { type GroupIntoBatchesOptions, groupIntoBatches } from "./group-into-batches.js";
export { registerSizeFn } from "./group-into-batches-fn.js";
export { latest } from "./latest.js";
export { MEAN_FN, mean } from "./mean.js";
export { type Ordering, registerComparison } from "./ordering.js";
export { type PeriodicImpulseOptions, periodicImpulse } from "./periodic-impulse.js";
export { type CombineCoders, combinePerKey, registerCombineFn } from "./primitives/combine-per-key.js";
export { composite } from "./primitives/composite.js";
export { type CreateOptions, create } from "./primitives/create.js";
export {
  type BundleContext,
  type Clock,
  type DoFn,
  type ElementContext,
  type EpochTransaction,
  type FinishBundleContext,
  type Log,
  MAIN_OUTPUT,
  type OutputContext,
  type ProcessContext,
  type ProcessContinuation,
  type ProcessResult,
  type ReadProgress,
  type RestrictionTracker,
  type SetupContext,
  type SplittableDoFn,
  type SplittableProcessContext,
} from "./primitives/do-fn.js";
export { flattenAll } from "./primitives/flatten-all.js";
export { type DoFnFactory, type JsonValue, registerDoFn } from "./primitives/fn-registry.js";
export { groupByKey } from "./primitives/group-by-key.js";
export type { Counter, Distribution, Gauge, Metrics } from "./primitives/metrics.js";
export { type OffsetRange, OffsetRangeTracker, OPEN_END } from "./primitives/offset-range-tracker.js";
export { type ParDoOptions, registeredParDo, type StepOf, type TaggedOutputs } from "./primitives/par-do.js";
export { reshuffle } from "./primitives/reshuffle.js";
export {
  iterableSideInput,
  type MapView,
  type MultimapView,
  mapSideInput,
  multimapSideInput,
  type SideInputSpec,
  singletonSideInput,
} from "./primitives/side-input-spec.js";
export { type SplittableParDoOptions, splittableParDo } from "./primitives/splittable-par-do.js";
export {
  type BagState,
  bagState,
  type CombineFn,
  type CombiningState,
  combiningState,
  type MapState,
  mapState,
  type SetState,
  type StateSpec,
  setState,
  type ValueState,
  valueState,
} from "./primitives/state-spec.js";
export { type TestStream, type TimestampedValue, testStream } from "./primitives/test-stream.js";
export {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
  type Timer,
  type TimerSpec,
} from "./primitives/timer-spec.js";
export { GLOBAL_WINDOW_END_MS, MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "./primitives/timestamp-bounds.js";
export {
  afterAll,
  afterCount,
  afterEach,
  afterFirst,
  afterProcessingTime,
  afterWatermark,
  defaultTrigger,
  never,
  orFinally,
  repeatedly,
  type Trigger,
} from "./primitives/triggers.js";
export {
  type ManualWatermarkEstimator,
  manualWatermarkEstimator,
  monotonicWatermarkEstimator,
  type WatermarkEstimator,
} from "./primitives/watermark-estimator.js";
export {
  GLOBAL_WINDOW,
  IntervalWindow,
  type KV,
  type PaneInfo,
  type Window,
  type WindowedValue,
} from "./primitives/window.js";
export {
  type CustomWindowFn,
  calendarDays,
  calendarMonths,
  fixedWindows,
  globalWindows,
  registeredWindowFn,
  registerWindowFn,
  sessions,
  slidingWindows,
  type WindowFn,
} from "./primitives/window-fns.js";
export { type WindowingOptions, windowInto } from "./primitives/window-into.js";
export { registerTimestampFn, withTimestamps } from "./primitives/with-timestamps.js";
export { SUM_FN, sum } from "./sum.js";
export { top } from "./top.js";
export {
  type ColumnValue,
  type Operation,
  type RejectedChange,
  type RowChange,
  type RowOf,
  RowRefusedError,
  type WriteChangesOptions,
  type WriteRowsOptions,
  writeChangesToPostgres,
  writeRowsToPostgres,
} from "./write-changes-to-postgres.js";
