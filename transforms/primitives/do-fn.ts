/** The contract between a DoFn and whatever runs it: the direct runner today, an SDK harness next. */
import type { SqlQueries, SqlTransaction } from "../../sql/sql-session.js";

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
  /** Adds `count` (default 1) dead letters of this reason to the file. */
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
}

/** Given to `process`: valid for this call only. */
export interface ProcessContext extends BundleContext, OutputContext {
  /** Event time of the element, ms since 1970, UTC. */
  readonly timestampMs: number;
}

/** Given to `finishBundle`: outputs and the bundle's own transaction. */
export interface FinishBundleContext extends BundleContext, OutputContext {
  /**
   * The open transaction in which everything of this bundle is committed, or nothing. Resolves when
   * it is this bundle's turn; the host commits, the DoFn never does.
   */
  transaction(): Promise<EpochTransaction>;
}

/** The transaction of an epoch (a consistent cut); (runId, epoch) identifies its commit. */
export interface EpochTransaction extends SqlTransaction {
  readonly epoch: number;
  readonly runId: string;
}

/**
 * A Beam DoFn. `process` returns nothing or a promise; a promise makes the step asynchronous, no
 * promise is created for a synchronous one. Registered by name (see `registerDoFn`), with a JSON
 * configuration, so that another process can build it again.
 */
export interface DoFn<In = unknown> {
  setup?(context: SetupContext): void | Promise<void>;
  startBundle?(context: BundleContext): void | Promise<void>;
  process(element: In, context: ProcessContext): void | Promise<void>;
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
}

/**
 * A splittable DoFn: works on a restriction of an element, stops when the tracker says so, and says
 * when to go on. The direct host runs one bundle after the other: `process` of the next bundle starts
 * while `finishBundle` of this one may still be waiting for its transaction.
 */
export interface SplittableDoFn<In = unknown, Restriction = unknown, Position = unknown> {
  setup?(context: SetupContext): void | Promise<void>;
  initialRestriction(element: In): Restriction;
  createTracker(restriction: Restriction): RestrictionTracker<Restriction, Position>;
  startBundle?(context: BundleContext): void | Promise<void>;
  process(
    element: In,
    tracker: RestrictionTracker<Restriction, Position>,
    context: ProcessContext,
  ): Promise<ProcessContinuation>;
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
