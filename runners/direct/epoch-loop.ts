/** The loop of the direct runner: reads one epoch while the one before it commits. */

import type { Clock, ProcessContinuation, RestrictionTracker } from "../../transforms/primitives/do-fn.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import { BundleProcessor, type SplittableStep } from "../bundle/bundle-processor.js";
import type { BundleHost } from "../bundle/host.js";
import type { ExecutableStage, Plan, StageRoot } from "../graph/translate.js";
import type { SourceProgress } from "../job/job.js";
import { type CommittedEpoch, Epoch, type Run } from "./epoch.js";

/** Epochs in flight: one is read and processed while the other commits. */
const EPOCHS_IN_FLIGHT = 2;

export interface LoopOptions {
  readonly plan: Plan;
  readonly host: BundleHost;
  readonly run: Run;
  readonly clock: Clock;
  /** Elements that the sources emit into one bundle, at the most. */
  readonly bundleRecordsMax: number;
  /** Fires when no new bundle shall be started; what was read is committed. */
  readonly drain: AbortSignal;
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

/** One instance of every stage; its next bundle waits until the last is committed and finalized. */
interface Slot {
  readonly processors: readonly BundleProcessor[];
  settled: Promise<void>;
}

/** A source of the graph: what is left of its restriction, and when to go on. */
interface Source {
  readonly stage: number;
  readonly root: StageRoot;
  restriction: unknown;
  started: boolean;
  done: boolean;
  /** Not before this time, on the monotonic clock. */
  resumeAtMs: number;
  wake: Promise<void> | undefined;
}

/**
 * Runs bundles until every source is done, or until told to drain. Resolves when the last epoch is
 * committed; rejects with the first failure, when nothing is in flight any more.
 */
export class EpochLoop {
  readonly #options: LoopOptions;
  readonly #sources: Source[] = [];
  /** Impulses whose steps are no splittable DoFns: run once in the pipeline's life. */
  readonly #impulses: { readonly stage: number; readonly root: StageRoot }[] = [];
  #slots: Slot[] = [];
  /** Whether all earlier epochs are committed, and whether they are finalized too. */
  #committed: Promise<unknown> = Promise.resolve();
  #settled: Promise<unknown> = Promise.resolve();
  #failure: Promise<never>;
  #fail: (error: unknown) => void = () => undefined;
  #tracker: RestrictionTracker<unknown, unknown> | undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failure.catch(() => undefined); // awaited wherever the loop waits
    for (const [index, stage] of options.plan.stages.entries()) this.#addRoots(stage, index);
  }

  async run(): Promise<void> {
    const { drain, cancel, run } = this.#options;
    const checkpoint = () => this.#tracker?.trySplit(0);
    drain.addEventListener("abort", checkpoint);
    cancel.addEventListener("abort", () => this.#fail(cancel.reason));
    // Also while there is nothing to commit: a run that was taken over has to leave.
    run.session.whenBroken(this.#fail);
    try {
      for (let n = 0; n < EPOCHS_IN_FLIGHT; n++) this.#slots.push(await this.#createSlot());
      const impulses = run.epoch === 0 ? this.#impulses : [];
      for (let turn = 0; ; turn++) {
        const slot = this.#slots[turn % EPOCHS_IN_FLIGHT] as Slot;
        await Promise.race([slot.settled, this.#failure]);
        if (drain.aborted) break;
        await this.#runBundle(slot, turn === 0 ? impulses : []);
        if (this.#sources.every((source) => source.done)) break;
        await this.#waitForInput();
      }
      await Promise.race([Promise.all(this.#slots.map((slot) => slot.settled)), this.#failure]);
    } finally {
      drain.removeEventListener("abort", checkpoint);
    }
  }

  /** Ends the DoFns; returns what their `teardown` threw. */
  async teardown(): Promise<unknown[]> {
    await Promise.allSettled(this.#slots.map((slot) => slot.settled));
    const processors = this.#slots.flatMap((slot) => slot.processors);
    return (await Promise.all(processors.map((processor) => processor.teardown()))).flat();
  }

  /** How far the sources are, by the slot's last bundle. */
  progress(slot: Slot | undefined = this.#slots[0]): SourceProgress[] {
    if (slot === undefined) return [];
    return this.#sources.flatMap((source) => splittable(slot, source).progress() ?? []);
  }

  #addRoots(stage: ExecutableStage, index: number): void {
    for (const root of stage.roots) {
      const step = root.consumers[0]?.step;
      if (step?.kind === "parDo" && step.isSplittable) {
        const state = { restriction: undefined, started: false, done: false, resumeAtMs: 0, wake: undefined };
        this.#sources.push({ stage: index, root, ...state });
      } else {
        this.#impulses.push({ stage: index, root });
      }
    }
  }

  async #createSlot(): Promise<Slot> {
    const { plan, host } = this.#options;
    const processors: BundleProcessor[] = [];
    for (const stage of plan.stages) processors.push(await BundleProcessor.create(stage, host));
    return { processors, settled: Promise.resolve() };
  }

  /** Reads a bundle into the slot and lets it commit by itself, after the one before it. */
  async #runBundle(slot: Slot, impulses: readonly { stage: number; root: StageRoot }[]): Promise<void> {
    const { run, clock } = this.#options;
    const startedAtMs = clock.now();
    const startMs = clock.monotonicMs();
    const epoch = new Epoch(run, this.#committed, () => clock.monotonicMs());
    for (const processor of slot.processors) await processor.startBundle(epoch);
    for (const { stage, root } of impulses) {
      slot.processors[stage]?.processElement(root, new Uint8Array(), MIN_TIMESTAMP_MS);
    }
    for (const source of this.#sources) await this.#read(slot, source, epoch);
    const readMs = clock.monotonicMs() - startMs;
    const committed = finishAndCommit(slot, epoch);
    slot.settled = this.#finalize(slot, epoch, committed, { startedAtMs, readMs });
    this.#committed = committed;
    this.#settled = slot.settled;
    slot.settled.catch(this.#fail);
  }

  async #read(slot: Slot, source: Source, epoch: Epoch): Promise<void> {
    const { clock, bundleRecordsMax, drain } = this.#options;
    if (source.done || clock.monotonicMs() < source.resumeAtMs) return;
    const step = splittable(slot, source);
    const element = new Uint8Array();
    if (!source.started) {
      source.restriction = step.initialRestriction(element);
      source.started = true;
    }
    const tracker = step.createTracker(source.restriction);
    this.#tracker = tracker;
    if (drain.aborted) tracker.trySplit(0);
    const onOutput = (timestampMs: number) => {
      epoch.records += 1;
      if (timestampMs < epoch.minTimestampMs && timestampMs > MIN_TIMESTAMP_MS)
        epoch.minTimestampMs = timestampMs;
      if (timestampMs > epoch.maxTimestampMs && timestampMs > MIN_TIMESTAMP_MS)
        epoch.maxTimestampMs = timestampMs;
      if (epoch.records >= bundleRecordsMax) this.#restrict(source, tracker);
    };
    const next = await step.process(element, tracker, MIN_TIMESTAMP_MS, onOutput);
    this.#tracker = undefined;
    this.#restrict(source, tracker);
    this.#schedule(source, next);
  }

  /** Checkpoints: the rest of the restriction is for the next bundle. */
  #restrict(source: Source, tracker: RestrictionTracker<unknown, unknown>): void {
    const split = tracker.trySplit(0);
    if (split !== undefined) source.restriction = split.residual;
  }

  #schedule(source: Source, next: ProcessContinuation): void {
    source.done = !next.resume;
    source.resumeAtMs = next.resume ? this.#options.clock.monotonicMs() + next.delayMs : 0;
    const resumeNow = () => {
      source.resumeAtMs = 0;
    };
    source.wake = next.resume ? next.wake?.then(resumeNow) : undefined;
  }

  /** Lets the epoch after this one have the connection as soon as this one is committed. */
  async #finalize(
    slot: Slot,
    epoch: Epoch,
    committing: Promise<CommittedEpoch | undefined>,
    read: { readonly startedAtMs: number; readonly readMs: number },
  ): Promise<void> {
    const earlier = this.#settled;
    const committed = await committing;
    await earlier;
    await epoch.finalize();
    if (committed === undefined) return;
    const hasTime = epoch.minTimestampMs <= epoch.maxTimestampMs;
    this.#options.onCommit({
      ...committed,
      ...read,
      committedAtMs: this.#options.clock.now(),
      eventTime: hasTime ? { minMs: epoch.minTimestampMs, maxMs: epoch.maxTimestampMs } : null,
      sources: this.progress(slot),
    });
  }

  /** Waits until some source wants to go on, the loop is told to drain, or an epoch in flight fails. */
  async #waitForInput(): Promise<void> {
    const { clock, drain } = this.#options;
    const open = this.#sources.filter((source) => !source.done);
    const waitMs = Math.min(...open.map((source) => source.resumeAtMs)) - clock.monotonicMs();
    if (waitMs <= 0) return;
    const stop = new AbortController();
    const wakeUp = () => stop.abort();
    for (const source of open) source.wake?.then(wakeUp);
    drain.addEventListener("abort", wakeUp);
    if (drain.aborted) wakeUp();
    try {
      await Promise.race([clock.sleep(waitMs, stop.signal), this.#failure]);
    } finally {
      stop.abort();
      drain.removeEventListener("abort", wakeUp);
    }
  }
}

function splittable(slot: Slot, source: Source): SplittableStep {
  const step = slot.processors[source.stage]?.splittable(source.root);
  if (step === undefined) throw new Error("a source of the plan is no splittable step of its stage");
  return step;
}

async function finishAndCommit(slot: Slot, epoch: Epoch): Promise<CommittedEpoch | undefined> {
  for (const processor of slot.processors) await processor.finishBundle();
  return epoch.commit();
}
