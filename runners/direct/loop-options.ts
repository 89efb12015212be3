/** What the epoch loop is given: the engine, the stages, and where epochs are committed. */
import type { Clock } from "../../transforms/primitives/do-fn.js";
import type { BundleHost, BundleScope } from "../bundle/host.js";
import type { StepWork } from "../bundle/step-meter.js";
import type { Bundle, BundleInput, BundleResult } from "../engine/bundle.js";
import type { RootLoad } from "../engine/root-state.js";
import type { SourceProgress } from "../job/job.js";
import type { MetricsStore } from "../job/metrics-store.js";
import type { CommittedEpoch, Committer, EpochState } from "./epoch.js";
import type { Pausing } from "./pausing.js";

/** What the loop needs of the engine. */
export interface LoopEngine {
  advanceProcessingTime(nowMs: number): void;
  nextBundle(limits?: {
    readonly elementsMax?: number;
    readonly restrictionsMax?: number;
  }): Bundle | undefined;
  apply(bundle: Bundle, result: BundleResult): void;
  /** Lets the residuals of the root go on at once. */
  resume(stage: string, root: string): void;
  drain(): void;
  stageWatermark(stage: string): number;
  /** By the id of the root. */
  stageLoads(stage: string): ReadonlyMap<string, RootLoad>;
  /** By the path of a GroupByKey. */
  groupedKeys(): ReadonlyMap<string, number>;
  readonly nextWakeUpMs: number | undefined;
  readonly isDone: boolean;
  /** By `<node id>\t<name>`. */
  readonly counters: ReadonlyMap<string, number>;
  /** Begun restrictions that are not done, by root. */
  readonly rests: ReadonlyMap<string, number>;
  /** Undefined where the state does not outlive the process. Then what an earlier run did is known by positions alone. */
  readonly durable: EpochState | undefined;
}

/** What the loop needs of a bundle processor. */
export interface LoopProcessor {
  startBundle(scope: BundleScope): Promise<void>;
  process(input: BundleInput): void | Promise<void>;
  finishBundle(): Promise<void>;
  teardown(): Promise<unknown[]>;
  progress(): readonly SourceProgress[];
  /** What each step has done so far, by path. */
  work(): ReadonlyMap<string, StepWork>;
}

/** A stage as the loop sees it. */
export interface LoopStage {
  readonly id: string;
  /**
   * Its steps and the engine have nothing to do with each other while they finish a bundle: no other stage
   * reads what they make, and they have neither state nor side inputs. So one bundle may take in all of an
   * epoch, and finish while the engine goes on.
   */
  readonly isLeaf: boolean;
  /** Roots that read an impulse without a restriction: they run once in the pipeline's life. */
  readonly impulseRoots: ReadonlySet<string>;
  /** Splittable roots whose restrictions need not end. */
  readonly unboundedRoots: ReadonlySet<string>;
}

export interface LoopOptions {
  readonly engine: LoopEngine;
  /** Producers first. */
  readonly stages: readonly LoopStage[];
  createProcessor(stage: string, host: BundleHost): Promise<LoopProcessor>;
  readonly host: BundleHost;
  readonly committer: Committer;
  readonly metrics: MetricsStore;
  readonly clock: Clock;
  /** Processing time as the engine and the DoFns see it. */
  readonly processingTimeMs: () => number;
  /** A test stream's script moves the processing time: there is no clock to wait for. */
  readonly isTimeScripted: boolean;
  /**
   * Epochs in flight: with two, one is read and processed while the other commits. All stages must be leaves then, and
   * no state outlive the process.
   */
  readonly epochsInFlight: 1 | 2;
  /** Elements that the sources emit into one bundle, at the most. */
  readonly bundleRecordsMax: number;
  /** Elements that the engine puts into one bundle, at the most. */
  readonly bundleElementsMax: number;
  /** Ends with what the sources have now, their watermarks left where they are. */
  readonly once: boolean;
  /** And then drains: their watermarks go to the end of time. */
  readonly drainsAtEnd: boolean;
  /** Fires when the loop shall end with the epoch that it is in; what is left is the next run's. */
  readonly stop: AbortSignal;
  /** Fires when the sources shall end; what was read is committed. */
  readonly drain: AbortSignal;
  readonly pausing: Pausing;
  /** Fires when everything in flight is to be abandoned. */
  readonly cancel: AbortSignal;
  /** Told after each commit, in order. */
  readonly onCommit: (report: EpochReport) => void;
}

/** A committed epoch with what only the loop knows of it. */
export interface EpochReport extends CommittedEpoch {
  readonly startedAtMs: number;
  readonly committedAtMs: number;
  readonly readMs: number;
  readonly eventTime: { readonly minMs: number; readonly maxMs: number } | null;
  readonly sources: readonly SourceProgress[];
}
