/** The loop of the direct runner: takes bundles from the engine, runs them, and commits epoch by epoch. */
import type { StepWork } from "../bundle/step-meter.js";
import type { Bundle, BundleInput } from "../engine/bundle.js";
import type { SourceProgress } from "../job/job.js";
import { DirectBundleScope } from "./bundle-scope.js";
import { EngineCounters } from "./engine-counters.js";
import type { CommittedEpoch, Epoch, EpochState } from "./epoch.js";
import type { LoopEngine, LoopOptions, LoopProcessor, LoopStage } from "./loop-options.js";
import { CANCEL_WAIT_MS, orLeave, Pause } from "./pause.js";
import { RestingSources } from "./resting-sources.js";
import { Slot } from "./slot.js";
import { WakeUps } from "./wake-ups.js";

/** An epoch while its bundles run. */
interface OpenEpoch {
  readonly epoch: Epoch;
  readonly startedAtMs: number;
  readonly startMs: number;
  /** Bundles of leaf stages, which end with the epoch. */
  readonly leaves: Map<string, DirectBundleScope>;
  /** Stages that must not be given a bundle in this epoch any more. */
  readonly closed: Set<string>;
  /** How many each stage has been given, leaf stages apart. */
  readonly bundles: Map<string, number>;
  elements: number;
}

/**
 * An epoch takes no more bundles once this many elements went through it; what is left is the next one's. Not where
 * it is a transaction, which holds all that its sources have read.
 */
const EPOCH_ELEMENTS_MAX = 500_000;
/** Bundles of a stage in one transaction, or a timer that always sets itself again would never let it end. */
const STAGE_BUNDLES_MAX = 16;
/** Restrictions that are worked on in one bundle; together they emit `bundleRecordsMax` elements, and each one at least. */
const RESTRICTIONS_MAX = 32;
/** While sources are paused, so often it is looked whether anything else is due. */
const PAUSED_LOOK_MS = 1_000;
/** How long an asynchronous source may emit into one bundle. */
const SOURCE_TURN_MS = 1_000;

/**
 * Runs until the graph is done, or until told to drain and drained. Resolves when the last epoch is
 * committed; rejects with the first failure. The engine belongs to this loop: after a failure it holds
 * what was never committed, and must be thrown away.
 */
export class EpochLoop {
  readonly #options: LoopOptions;
  readonly #pause: Pause;
  readonly #stages: ReadonlyMap<string, LoopStage>;
  readonly #resting: RestingSources;
  /** An earlier run has taken the impulses, and this one's engine does not know. */
  readonly #hadImpulses: boolean;
  readonly #slots: Slot[] = [];
  /** Taken from the engine and put off to the next epoch. */
  #carried: Bundle[] = [];
  readonly #wakeUps: WakeUps;
  /** The last epoch was full: the engine was not asked for what else is ready. */
  #wasFull = false;
  #scope: DirectBundleScope | undefined;
  #isDrained = false;
  readonly #counters: EngineCounters;
  /** Whether all earlier epochs are committed, and whether they are finalized too. */
  #committed: Promise<unknown> = Promise.resolve();
  #settled: Promise<unknown> = Promise.resolve();
  /** How long sources had to wait for an epoch before them. */
  #blockedMs = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
    this.#wakeUps = new WakeUps(() => this.#pause.end());
    this.#counters = new EngineCounters(options.engine.counters);
    this.#stages = new Map(options.stages.map((stage) => [stage.id, stage]));
    this.#resting = new RestingSources(options.stages, options.engine.rests);
    this.#hadImpulses = options.committer.state.epoch > 0 && options.engine.durable === undefined;
  }

  async run(): Promise<void> {
    const { drain, stop, cancel, pausing, committer, epochsInFlight } = this.#options;
    const onDrain = () => {
      this.#scope?.checkpoint();
      this.#pause.end();
    };
    pausing.whenChanged(onDrain);
    stop.addEventListener("abort", onDrain);
    const onCancel = () => this.#pause.fail(cancel.reason);
    drain.addEventListener("abort", onDrain);
    cancel.addEventListener("abort", onCancel);
    // Also while there is nothing to commit: a run that was taken over has to leave.
    committer.whenBroken((error) => this.#pause.fail(error));
    try {
      cancel.throwIfAborted();
      for (let n = 0; n < epochsInFlight; n++) await this.#pause.orCancel(this.#createSlot());
      await this.#runEpochs();
      await this.#pause.orFail(Promise.all(this.#slots.map((slot) => slot.settled)));
    } finally {
      drain.removeEventListener("abort", onDrain);
      stop.removeEventListener("abort", onDrain);
      cancel.removeEventListener("abort", onCancel);
    }
  }

  /** Ends the DoFns; returns what their `teardown` threw. One that goes on after a cancel is left behind. */
  async teardown(): Promise<unknown[]> {
    const { cancel, clock } = this.#options;
    const ended = Promise.all(this.#slots.map((slot) => slot.teardown()));
    return orLeave(
      ended.then((errors) => errors.flat()),
      cancel,
      clock,
      () => {
        const stages = this.#slots.flatMap(({ going }) => going);
        return [
          new Error(
            `${stages.join(", ")} did not end within ${CANCEL_WAIT_MS} ms of the cancel: left behind`,
          ),
        ];
      },
    );
  }

  /** How far the sources are, by the slot's last bundle. */
  progress(slot: Slot | undefined = this.#slots[0]): SourceProgress[] {
    return slot === undefined ? [] : [...slot.processors.values()].flatMap((one) => one.progress());
  }

  /** What the steps have done in this run, instance by instance, by path. */
  work(): readonly ReadonlyMap<string, StepWork>[] {
    return this.#slots.flatMap((slot) => [...slot.processors.values()].map((one) => one.work()));
  }

  get blockedMs(): number {
    return this.#blockedMs;
  }

  /** What the graph keeps, as of now. */
  get engine(): Pick<LoopEngine, "stageWatermark" | "stageLoads" | "groupedKeys"> {
    return this.#options.engine;
  }

  #createSlot(): Promise<void> {
    const slot = new Slot();
    this.#slots.push(slot);
    return slot.setUp(this.#options);
  }

  async #runEpochs(): Promise<void> {
    const { engine, drain, stop, once, drainsAtEnd, clock, epochsInFlight } = this.#options;
    for (let turn = 0; ; turn++) {
      const slot = this.#slots[turn % epochsInFlight] as Slot;
      const fromMs = clock.monotonicMs();
      await this.#pause.orFail(slot.settled);
      this.#blockedMs += clock.monotonicMs() - fromMs;
      if (stop.aborted) return;
      if (drain.aborted && !this.#isDrained) this.#drain();
      await this.#pause.orCancel(this.#runEpoch(slot));
      if (this.#wasFull || this.#carried.some((bundle) => this.#mayRun(bundle))) continue;
      if (engine.isDone) return;
      if (once && !this.#isDrained && !this.#isPaused && this.#isAtRest()) {
        if (!drainsAtEnd) return;
        this.#drain();
        continue;
      }
      await this.#waitForWork();
    }
  }

  #drain(): void {
    this.#isDrained = true;
    this.#options.engine.drain();
  }

  /** A drain ends the sources, whether or not they stand still. */
  get #isPaused(): boolean {
    const { pausing, drain } = this.#options;
    return pausing.isPaused && !drain.aborted;
  }

  #mayRun(bundle: Bundle): boolean {
    return !this.#isPaused || !hasRestrictions(bundle);
  }

  /** Nothing is due, and no bounded source has more: what still waits, waits for what comes later. */
  #isAtRest(): boolean {
    const { engine, processingTimeMs } = this.#options;
    const { nextWakeUpMs } = engine;
    const isAnythingDue = nextWakeUpMs !== undefined && nextWakeUpMs <= processingTimeMs();
    return !isAnythingDue && this.#resting.areBoundedAtEnd;
  }

  /** Runs what is ready into an epoch and lets it commit: by itself, or before anything else goes on. */
  async #runEpoch(slot: Slot): Promise<void> {
    const { engine, clock, epochsInFlight } = this.#options;
    engine.advanceProcessingTime(this.#options.processingTimeMs());
    for (const { stage, root } of this.#wakeUps.take()) engine.resume(stage, root);
    const open = await this.#takeBundles(slot);
    if (open === undefined) return;
    const readMs = clock.monotonicMs() - open.startMs;
    const committed = finishAndCommit(slot, open, engine.durable);
    slot.settled = this.#finalize(slot, open, committed, readMs);
    this.#committed = committed;
    this.#settled = slot.settled;
    slot.settled.catch((error: unknown) => this.#pause.fail(error));
    if (epochsInFlight === 1) await slot.settled;
  }

  /** Runs bundles until none is ready. Undefined: there was none. */
  async #takeBundles(slot: Slot): Promise<OpenEpoch | undefined> {
    const { engine, bundleElementsMax, committer, stop } = this.#options;
    const elementsMax = committer.hasTransactions ? Number.POSITIVE_INFINITY : EPOCH_ELEMENTS_MAX;
    const restrictionsMax = () => (this.#isPaused ? 0 : RESTRICTIONS_MAX);
    const next = () =>
      engine.nextBundle({ elementsMax: bundleElementsMax, restrictionsMax: restrictionsMax() });
    let open: OpenEpoch | undefined;
    const carried = this.#carried.splice(0);
    while (!stop.aborted && (open === undefined || open.elements < elementsMax)) {
      const bundle = carried.shift() ?? next();
      if (bundle === undefined) break;
      if (open?.closed.has(bundle.stage) || !this.#mayRun(bundle)) {
        this.#carried.push(bundle);
        continue;
      }
      open ??= this.#open();
      await this.#runBundle(slot, open, bundle);
      await this.#pause.breathe();
    }
    this.#carried.push(...carried);
    this.#wasFull = open !== undefined && open.elements >= elementsMax;
    if (this.#counters.haveMoved) {
      open ??= this.#open();
      this.#counters.tell(open.epoch.metrics);
    }
    return open;
  }

  #open(): OpenEpoch {
    const { committer, metrics, clock } = this.#options;
    const epoch = committer.begin(metrics.begin(), this.#committed);
    const now = { startedAtMs: clock.now(), startMs: clock.monotonicMs() };
    return { epoch, ...now, leaves: new Map(), closed: new Set(), bundles: new Map(), elements: 0 };
  }

  async #runBundle(slot: Slot, open: OpenEpoch, bundle: Bundle): Promise<void> {
    const { engine, once } = this.#options;
    const stage = this.#stages.get(bundle.stage) as LoopStage;
    const processor = slot.processors.get(bundle.stage) as LoopProcessor;
    let scope = open.leaves.get(stage.id);
    if (scope === undefined) {
      scope = this.#createScope(open.epoch, stage);
      await processor.startBundle(scope);
      if (stage.isLeaf) open.leaves.set(stage.id, scope);
    }
    this.#scope = scope;
    scope.isTruncated = isTruncated(bundle);
    scope.inputWatermarkMs = bundle.inputWatermarkMs;
    for (const input of this.#resting.admit(bundle)) {
      if (this.#hadImpulses && stage.impulseRoots.has(input.root)) continue;
      const done = processor.process(input);
      if (done !== undefined) await (input.kind === "restrictions" ? this.#inTurns(done, scope) : done);
    }
    if (!stage.isLeaf) await processor.finishBundle();
    this.#scope = undefined;
    const result = scope.takeResult();
    const isEnding = once && !this.#isDrained;
    engine.apply(bundle, this.#resting.after(bundle, result, isEnding));
    open.elements += bundle.inputs.reduce((sum, input) => sum + sizeOf(input), 0);
    // A source goes on in the next epoch, or this one would never end.
    if (hasRestrictions(bundle) || this.#hasHadItsTurn(open, stage, scope)) open.closed.add(stage.id);
  }

  /**
   * What is written in a transaction may carry the epoch's number, once. Whoever writes nothing goes on: with one bundle
   * an epoch, the elements of each epoch would come before timers that are due, for as long as there are any. Not where
   * a test stream says what comes: it plays on when nothing is ready, and all of it would be one transaction.
   */
  #hasHadItsTurn({ bundles }: OpenEpoch, stage: LoopStage, scope: DirectBundleScope): boolean {
    const { committer, isTimeScripted } = this.#options;
    if (!committer.hasTransactions || stage.isLeaf) return false;
    const count = (bundles.get(stage.id) ?? 0) + 1;
    bundles.set(stage.id, count);
    return isTimeScripted || scope.hasTransaction || count >= STAGE_BUNDLES_MAX;
  }

  /** A source that takes its time is stopped now and then, so that what it has emitted goes on. */
  async #inTurns(done: Promise<void>, scope: DirectBundleScope): Promise<void> {
    const { clock } = this.#options;
    const ended = new AbortController();
    const stopEachTurn = async () => {
      for (;;) {
        await clock.sleep(SOURCE_TURN_MS, ended.signal);
        if (ended.signal.aborted) return;
        scope.checkpoint();
      }
    };
    stopEachTurn().catch((error: unknown) => this.#pause.fail(error));
    try {
      await done;
    } finally {
      ended.abort();
    }
  }

  #createScope(epoch: Epoch, { id }: LoopStage): DirectBundleScope {
    const { bundleRecordsMax, drain, processingTimeMs } = this.#options;
    return new DirectBundleScope(epoch, {
      sourceRecordsMax: bundleRecordsMax,
      drain,
      processingTimeMs,
      wakeBy: (root, wake) => this.#wakeUps.add({ stage: id, root }, wake),
    });
  }

  /** Lets the epoch after this one have the connection as soon as this one is committed. */
  async #finalize(
    slot: Slot,
    { epoch, startedAtMs }: OpenEpoch,
    committing: Promise<CommittedEpoch | undefined>,
    readMs: number,
  ): Promise<void> {
    const earlier = this.#settled;
    const committed = await committing;
    await earlier;
    this.#options.metrics.commit(epoch.metrics);
    await epoch.finalize();
    if (committed === undefined) return;
    const hasTime = epoch.minTimestampMs <= epoch.maxTimestampMs;
    this.#options.onCommit({
      ...committed,
      startedAtMs,
      readMs,
      committedAtMs: this.#options.clock.now(),
      eventTime: hasTime ? { minMs: epoch.minTimestampMs, maxMs: epoch.maxTimestampMs } : null,
      sources: this.progress(slot),
    });
  }

  /** Waits until something is due, the loop is told to drain, or an epoch in flight fails. */
  async #waitForWork(): Promise<void> {
    const { engine, drain, stop, processingTimeMs, isTimeScripted } = this.#options;
    if (!this.#wakeUps.isEmpty || stop.aborted || (drain.aborted && !this.#isDrained)) return;
    const wakeUpMs = engine.nextWakeUpMs;
    if (this.#isPaused) {
      const inMs = (wakeUpMs ?? Number.POSITIVE_INFINITY) - processingTimeMs();
      await this.#pause.orFail(this.#pause.wait(inMs > 0 ? Math.min(inMs, PAUSED_LOOK_MS) : PAUSED_LOOK_MS));
      return;
    }
    if (wakeUpMs === undefined) {
      throw new Error("nothing of the graph is ready and nothing ever will be, but it is not done");
    }
    if (isTimeScripted) {
      engine.advanceProcessingTime(wakeUpMs);
      return;
    }
    await this.#pause.orFail(this.#pause.wait(wakeUpMs - processingTimeMs()));
  }
}

async function finishAndCommit(
  slot: Slot,
  { epoch, leaves }: OpenEpoch,
  state: EpochState | undefined,
): Promise<CommittedEpoch | undefined> {
  for (const [id, processor] of slot.processors) {
    if (leaves.has(id)) await processor.finishBundle();
  }
  return epoch.commit(state);
}

function hasRestrictions(bundle: Bundle): boolean {
  return bundle.inputs.some((input) => input.kind === "restrictions");
}

function isTruncated(bundle: Bundle): boolean {
  return bundle.inputs.some(
    (input) => input.kind === "restrictions" && input.work.some((work) => work.isTruncated),
  );
}

function sizeOf(input: BundleInput): number {
  if (input.kind === "elements") return input.elements.length;
  if (input.kind === "restrictions") return input.work.length;
  return input.keys.reduce((sum, { items }) => sum + items.length, 0);
}
