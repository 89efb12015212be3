/** What DoFns are given: one context a step, used again for each element that is processed at once. */
import type {
  BundleContext,
  EpochTransaction,
  FinishBundleContext,
  Ledger,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import type { SideInputOf, SideInputSpec } from "../../transforms/primitives/side-input-spec.js";
import type { StateOf, StateSpec } from "../../transforms/primitives/state-spec.js";
import type { Timer, TimerSpec } from "../../transforms/primitives/timer-spec.js";
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../transforms/primitives/timestamp-bounds.js";
import type { WatermarkEstimator } from "../../transforms/primitives/watermark-estimator.js";
import {
  IN_GLOBAL_WINDOW,
  NO_FIRING,
  type PaneInfo,
  type Window,
  type WindowedValue,
} from "../../transforms/primitives/window.js";
import type { BundleScope } from "./host.js";
import type { KeyScope } from "./key-scope.js";
import type { Receive } from "./receive.js";
import { StepFailedError } from "./step-failed-error.js";

/** What a context needs of its step. */
export interface ContextStep {
  readonly path: string;
  /** Takes what goes to the main output. */
  readonly main: Receive;
  /** Of the bundle under way. @throws outside of a bundle. */
  readonly scope: BundleScope;
  readonly metrics: Metrics;
  /** What takes elements of a tag. @throws when the graph knows no such output. */
  receiver(tag: string): Receive;
  /** Whether anybody reads that output. @throws when the graph knows no such output. */
  isRead(tag: string): boolean;
  /** Resolves when nothing queues behind the step; undefined when nothing does now. */
  room(): Promise<void> | undefined;
  sideInput(spec: SideInputSpec, window: Window): unknown;
  /** Undefined: what is being processed is a timer without an output timestamp. */
  timer(spec: TimerSpec, tag: string, key: KeyScope, currentMs: number | undefined): Timer;
}

/** Given to `startBundle`. */
export class StepBundleContext implements BundleContext {
  constructor(protected readonly step: ContextStep) {}

  get ledger(): Ledger {
    return this.step.scope.ledger;
  }

  get metrics(): Metrics {
    return this.step.metrics;
  }

  afterCommit(callback: () => void | Promise<void>): void {
    const { path, scope } = this.step;
    scope.afterCommit(async () => {
      try {
        await callback();
      } catch (error) {
        throw StepFailedError.of(path, "afterCommit", error);
      }
    });
  }
}

/**
 * Given to `process` and the timer callbacks. It belongs to the step and is set anew for each call; once a
 * call turns out to be asynchronous, the step leaves it to that call and takes a fresh one.
 */
export class StepContext extends StepBundleContext implements SplittableProcessContext {
  timestampMs = MIN_TIMESTAMP_MS;
  windows: readonly Window[] = IN_GLOBAL_WINDOW;
  pane: PaneInfo = NO_FIRING;
  /** In a stateful step. */
  keyScope: KeyScope | undefined;
  /** In a splittable step whose DoFn makes one. */
  estimator: WatermarkEstimator | undefined;

  get window(): Window {
    if (this.windows.length === 1) return this.windows[0]!;
    throw new Error(
      `the element is in ${this.windows.length} windows: set observesWindows, to be called once for each`,
    );
  }

  get key(): unknown {
    return this.keyed("key").key;
  }

  transaction(): Promise<EpochTransaction> {
    return this.step.scope.transaction();
  }

  get watermarkEstimator(): WatermarkEstimator {
    if (this.estimator === undefined) throw new Error("the DoFn has no createWatermarkEstimator");
    return this.estimator;
  }

  output(value: unknown, timestampMs: number = this.timestampMs): void {
    if (timestampMs !== this.timestampMs) checkTimestamp(timestampMs);
    this.step.main(value, timestampMs, this.windows, this.pane);
  }

  outputTo(tag: string, value: unknown, timestampMs: number = this.timestampMs): void {
    if (timestampMs !== this.timestampMs) checkTimestamp(timestampMs);
    this.step.receiver(tag)(value, timestampMs, this.windows, this.pane);
  }

  outputWindowed(tag: string, element: WindowedValue): void {
    emitWindowed(this.step, tag, element);
  }

  isRead(tag: string): boolean {
    return this.step.isRead(tag);
  }

  room(): Promise<void> | undefined {
    return this.step.room();
  }

  state<Spec extends StateSpec>(spec: Spec): StateOf<Spec> {
    return this.keyed(`${spec.kind} state`).state(spec) as StateOf<Spec>;
  }

  timer(spec: TimerSpec, tag = ""): Timer {
    return this.step.timer(spec, tag, this.keyed("timer"), this.timestampMs);
  }

  sideInput<Spec extends SideInputSpec>(spec: Spec): SideInputOf<Spec> {
    return this.step.sideInput(spec, this.window) as SideInputOf<Spec>;
  }

  /** @throws where the DoFn has no keys. */
  protected keyed(what: string): KeyScope {
    if (this.keyScope !== undefined) return this.keyScope;
    throw new Error(`there is no ${what} here: the DoFn declares neither state nor timers in its fields`);
  }
}

/** Given to `finishBundle`: what is emitted without a time of its own stands at the end of the global window. */
export class FinishContext extends StepBundleContext implements FinishBundleContext {
  output(value: unknown, timestampMs: number = GLOBAL_WINDOW_END_MS): void {
    checkTimestamp(timestampMs);
    this.step.main(value, timestampMs, IN_GLOBAL_WINDOW, NO_FIRING);
  }

  outputTo(tag: string, value: unknown, timestampMs: number = GLOBAL_WINDOW_END_MS): void {
    checkTimestamp(timestampMs);
    this.step.receiver(tag)(value, timestampMs, IN_GLOBAL_WINDOW, NO_FIRING);
  }

  outputWindowed(tag: string, element: WindowedValue): void {
    emitWindowed(this.step, tag, element);
  }

  isRead(tag: string): boolean {
    return this.step.isRead(tag);
  }

  transaction(): Promise<EpochTransaction> {
    return this.step.scope.transaction();
  }
}

/** An element in no window is gone: sliding windows with gaps between them do that. */
function emitWindowed(step: ContextStep, tag: string, element: WindowedValue): void {
  const { value, timestampMs, windows, pane } = element;
  checkTimestamp(timestampMs);
  if (windows.length > 0) step.receiver(tag)(value, timestampMs, windows, pane);
}

function checkTimestamp(timestampMs: number): void {
  if (timestampMs >= MIN_TIMESTAMP_MS && timestampMs <= MAX_TIMESTAMP_MS) return;
  throw new RangeError(
    `an event time must be a number of ms between ${MIN_TIMESTAMP_MS} and ${MAX_TIMESTAMP_MS}, got ${timestampMs}`,
  );
}
