/** The contract between a DoFn and whatever runs it: the direct runner, or an SDK harness. */
import type { SqlQueries, SqlTransaction } from "../../sql/sql-session.js";
import type { Metrics } from "./metrics.js";
import type { SideInputOf, SideInputSpec } from "./side-input-spec.js";
import type { SinkPlace, SinkPromise } from "./sink-promise.js";
import type { StateOf, StateSpec } from "./state-spec.js";
import type { FiredTimer, Timer, TimerSpec } from "./timer-spec.js";
import type { WatermarkEstimator } from "./watermark-estimator.js";
import type { PaneInfo, Window, WindowedValue } from "./window.js";

/** The tag of a DoFn's main output. */
export const MAIN_OUTPUT = "main";

/** Counters of the ledger; every record read ends in exactly one of the others. */
export type LedgerCounter = "records_read" | "events_written" | "duplicates" | "conflicts";

/**
 * Counts records by the file they came from. What is added belongs to the current bundle and
 * becomes visible (database, metrics) with its commit, never before.
 */
export interface Ledger {
  /** Adds `count` (default 1) to a counter of the file. */
  add(fileId: number, counter: LedgerCounter, count?: number): void;
  /** Adds `count` (default 1) dead letters of this reason to the file; takes them away where it is negative. */
  addDeadLetter(fileId: number, reason: string, count?: number): void;
}

/** What a DoFn may know before the first bundle. */
export interface SetupContext {
  /** Name of the running pipeline, e.g. `user-events`. */
  readonly pipeline: string;
  /** Stable path of this step in the graph, e.g. `ReadEvents/ReadFiles`. */
  readonly step: string;
  /** `available-now` processes what exists at the start, then ends; `stream` goes on until stopped. */
  readonly mode: "stream" | "available-now";
  /** The run of the pipeline that this is part of; undefined where no database keeps one. */
  readonly runId?: string;
  /**
   * Whether a bundle may run again although its transaction is committed, or two attempts at one beside each other,
   * as on job servers: then whatever is written must come to the same, and only what is new is counted.
   */
  readonly bundlesMayRepeat: boolean;
  /** Watermark of this step's output as committed last, ms since 1970: a source's must not begin before it. */
  readonly restoredWatermarkMs?: number;
  /** Fires when the work must be abandoned; nothing may be emitted afterwards. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Statements outside any bundle's transaction, on a connection of their own.
   * Never write here what a bundle's transaction must decide.
   */
  readonly database: SqlQueries;
  /**
   * State that all instances of this step share for one run of the pipeline (several bundles are in
   * flight, each with its own DoFn instance). `create` runs once per name.
   */
  shared<T>(name: string, create: () => T): T;
}

/** What a DoFn may do while it works on a bundle. */
export interface BundleContext {
  readonly ledger: Ledger;
  /** Metrics of this step; what is counted becomes visible with the commit as committed, before it as attempted. */
  readonly metrics: Metrics;
  /**
   * Registers work for after the commit of this bundle is known to have happened: Beam's bundle
   * finalization. Callbacks run in registration order, at most once; after a crash they do not run,
   * so whatever they do must be redone from durable state in `setup`.
   */
  afterCommit(callback: () => void | Promise<void>): void;
}

/** Emits to the outputs of a DoFn. */
export interface OutputContext {
  /** Emits to the main output; the element's event time is kept unless given (ms since 1970, UTC). */
  output(value: unknown, timestampMs?: number): void;
  /** Emits to a tagged output. */
  outputTo(tag: string, value: unknown, timestampMs?: number): void;
  /** Whether any step of the pipeline reads that output. @throws when the graph knows no such output. */
  isRead(tag: string): boolean;
}

/** Gives the transaction of a bundle. */
export interface TransactionContext {
  /**
   * The open transaction in which everything of this bundle is committed, or nothing. Resolves when
   * it is this bundle's turn; the host commits, the DoFn never does. Its statements must not overlap
   * with another step's: outside of `finishBundle` ask for it only where the bundle is too large to wait.
   */
  transaction(): Promise<EpochTransaction>;
}

/** What a DoFn may use while it works for an element or a timer. */
export interface ElementContext extends BundleContext, OutputContext, TransactionContext {
  /**
   * Event time of the element, or the output timestamp of the timer, ms since 1970, UTC; `MAX_TIMESTAMP_MS`
   * for a timer that was set without one, which must not emit.
   */
  readonly timestampMs: number;
  /**
   * The window of the element. A DoFn with state, timers, side inputs or `observesWindows` is called once
   * for each window of an element; any other once for all. @throws for the latter when there are several.
   */
  readonly window: Window;
  readonly pane: PaneInfo;
  /** The key, in a DoFn that declares state or timers. @throws in any other. */
  readonly key: unknown;
  /** The cell of the current key and window. `spec` is a field of this DoFn. */
  state<Spec extends StateSpec>(spec: Spec): StateOf<Spec>;
  /** A timer of the current key and window. `spec` is a field of this DoFn. */
  timer(spec: TimerSpec, tag?: string): Timer;
  /** The side input for the element's window. `spec` is a field of this DoFn. */
  sideInput<Spec extends SideInputSpec>(spec: Spec): SideInputOf<Spec>;
  /** Emits with windows and pane of its own: what window assignment does. */
  outputWindowed(tag: string, element: WindowedValue): void;
  /**
   * Resolves when whoever takes the outputs has room for more; undefined when there is room now. A call that
   * emits much waits for it now and then, as the host does between the outputs of an iterable.
   */
  room(): Promise<void> | undefined;
}

/** Given to `process`: valid for this call only (until its promise is settled, if it gives one). */
export interface ProcessContext extends ElementContext {
  /** The windows of the element, all of them where the DoFn is called once for all. */
  readonly windows: readonly Window[];
}

/** Given to `finishBundle`: outputs and the bundle's own transaction. */
export interface FinishBundleContext extends BundleContext, OutputContext, TransactionContext {
  /** Emits into windows of the caller's choice. Without windows, outputs go into the global window. */
  outputWindowed(tag: string, element: WindowedValue): void;
}

/** The transaction of an epoch (a consistent cut); (runId, epoch) identifies its commit. */
export interface EpochTransaction extends SqlTransaction {
  readonly epoch: number;
  readonly runId: string;
}

/**
 * What `process` may give: nothing; outputs for the main output; or a promise or an async iterable of
 * them, which makes the step asynchronous. No promise is created for a synchronous step.
 */
export type ProcessResult =
  | void
  | Iterable<unknown>
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a DoFn too
  | Promise<void | Iterable<unknown>>
  | AsyncIterable<unknown>;

/**
 * A Beam DoFn, registered by name (see `registerDoFn`) with a JSON configuration, so that another
 * process can build it again.
 *
 * Fields that hold a StateSpec, a TimerSpec or a SideInputSpec declare state, timers and side inputs
 * under the field's name. With state or timers the DoFn is stateful: its input is `{ key, value }`, and
 * the elements and timers of one key run one after the other, also when `process` is asynchronous.
 */
export interface DoFn<In = unknown> {
  /** Call it once for each window of an element, because it looks at `context.window`. */
  readonly observesWindows?: boolean;
  /** Elements of one key come in the order of their event times, as far as lateness allows. */
  readonly requiresTimeSortedInput?: boolean;
  /** How many elements an asynchronous `process` may work on at once; by default 64. */
  readonly concurrencyMax?: number;
  /** Of a sink: what it promises on such a runner. Asked before anything runs, of an instance without `setup`. */
  sinkPromise?(place: SinkPlace): SinkPromise;
  setup?(context: SetupContext): void | Promise<void>;
  startBundle?(context: BundleContext): void | Promise<void>;
  process(element: In, context: ProcessContext): ProcessResult;
  onTimer?(timer: FiredTimer, context: ElementContext): ProcessResult;
  /** Called once for a key and window that had state, before its state is removed for good. */
  onWindowExpiration?(context: ElementContext): ProcessResult;
  finishBundle?(context: FinishBundleContext): void | Promise<void>;
  teardown?(): void | Promise<void>;
}

/** Whether a splittable DoFn has more to do, and when. */
export type ProcessContinuation =
  | { readonly resume: false }
  | {
      readonly resume: true;
      /** Earliest time to try again, in ms from now; 0 means at once, in the next bundle. */
      readonly delayMs: number;
      /** Ends the wait earlier. Only a hint: correctness rests on `delayMs` alone. */
      readonly wake?: Promise<void>;
    };

/** Beam's RestrictionTracker: what part of the restriction this bundle has claimed. */
export interface RestrictionTracker<Restriction, Position> {
  /** False: the position belongs to the residual, return from `process` without emitting it. */
  tryClaim(position: Position): boolean;
  /** Splits off the rest. `fraction` 0 = checkpoint now. Undefined: there is nothing to split off. */
  trySplit(fraction: number): { primary: Restriction; residual: Restriction } | undefined;
  currentRestriction(): Restriction;
  /** Called when `process` says it is done. @throws when part of the restriction was neither claimed nor split off. */
  checkDone?(): void;
  /** Work done and left, in any unit. */
  progress?(): { readonly completed: number; readonly remaining: number };
}

/** Given to a splittable DoFn's `process`. */
export interface SplittableProcessContext<WatermarkState = unknown> extends ProcessContext {
  /** The one that `createWatermarkEstimator` made. @throws where the DoFn has none. */
  readonly watermarkEstimator: WatermarkEstimator<WatermarkState>;
}

/**
 * A splittable DoFn: works on a restriction of an element, stops when the tracker says so, and says
 * when to go on. Restrictions and states of estimators are JSON. Without a watermark estimator the
 * output watermark waits for the end of the restriction.
 *
 * The direct host runs one bundle after the other: `process` of the next bundle starts while
 * `finishBundle` of this one may still be waiting for its transaction.
 */
export interface SplittableDoFn<
  In = unknown,
  Restriction = unknown,
  Position = unknown,
  WatermarkState = unknown,
> {
  readonly observesWindows?: boolean;
  /**
   * Its positions are written in the epochs' transactions, and `initialRestriction` begins where the last
   * commit ended (`setup` has loaded it): so nothing is lost where a host forgets its residuals.
   */
  readonly restoresPosition?: boolean;
  setup?(context: SetupContext): void | Promise<void>;
  initialRestriction(element: In): Restriction;
  /** Parts to be worked on independently; by default the restriction as it is. */
  splitRestriction?(element: In, restriction: Restriction): Iterable<Restriction>;
  /** Work in the restriction, in any unit, at least 0; by default 1. */
  restrictionSize?(element: In, restriction: Restriction): number;
  createTracker(restriction: Restriction): RestrictionTracker<Restriction, Position>;
  /** The bounded rest that is still done when the pipeline drains; undefined: none. By default all of a bounded, none of an unbounded one. */
  truncateRestriction?(element: In, restriction: Restriction): Restriction | undefined;
  initialWatermarkState?(element: In, restriction: Restriction, timestampMs: number): WatermarkState;
  createWatermarkEstimator?(state: WatermarkState): WatermarkEstimator<WatermarkState>;
  startBundle?(context: BundleContext): void | Promise<void>;
  /** Nothing returned means done, as `{ resume: false }` does. */
  process(
    element: In,
    tracker: RestrictionTracker<Restriction, Position>,
    context: SplittableProcessContext<WatermarkState>,
    // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is done
  ): ProcessContinuation | void | Promise<ProcessContinuation | void>;
  finishBundle?(context: FinishBundleContext): void | Promise<void>;
  teardown?(): void | Promise<void>;
  /** How far this source is; the offsets are those of the instance's last bundle. */
  progress?(): ReadProgress;
}

/** How far a source is, by its own account. */
export interface ReadProgress {
  readonly description: string;
  /** By path (or partition): where the last bundle started and ended. */
  readonly startOffset: Readonly<Record<string, number>>;
  readonly endOffset: Readonly<Record<string, number>>;
  /** By path: when what was read came to be there, ms since 1970, as far as that is known. */
  readonly landedAtMs?: Readonly<Record<string, number>>;
  /** Records of the last bundle. */
  readonly records: number;
  /** Known and not yet read. */
  readonly backlogBytes: number;
  readonly backlogFiles: number;
}

/** Time as an argument: one real implementation, one that a test moves by hand. */
export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Never goes back; ms from an arbitrary start. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` fires (it does not reject). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Structured log lines; the message first, then what it is about. */
export interface Log {
  debug(message: string, facts?: Record<string, unknown>): void;
  info(message: string, facts?: Record<string, unknown>): void;
  warn(message: string, facts?: Record<string, unknown>): void;
  error(message: string, facts?: Record<string, unknown>): void;
}
