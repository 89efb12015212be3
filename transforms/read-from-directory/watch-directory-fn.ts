/** The splittable DoFn that watches a directory and hands out ranges of its files as they grow. */
import { beat, readSigns } from "../../sql/pipelines.js";
import { restartSettling, takeLineage } from "../../sql/read-ranges.js";
import { upsertIdentities } from "../../sql/source-positions.js";
import type {
  FinishBundleContext,
  ProcessContinuation,
  RestrictionTracker,
  SetupContext,
  SplittableDoFn,
  SplittableProcessContext,
} from "../primitives/do-fn.js";
import { registerDoFn } from "../primitives/fn-registry.js";
import { MIN_TIMESTAMP_MS } from "../primitives/timestamp-bounds.js";
import {
  type ManualWatermarkEstimator,
  manualWatermarkEstimator,
} from "../primitives/watermark-estimator.js";
import { DirectoryWatcher, type HandedOut } from "./directory-watcher.js";
import {
  type DirectoryConfig,
  type ReadFromDirectoryConfig,
  readFromDirectoryConfig,
} from "./read-from-directory-config.js";
import type { StoredFile } from "./source-positions.js";
import { toRow } from "./stored-positions.js";
import { NOTHING_HANDED_OUT, type WatchState, WatchTracker } from "./watch-state.js";

const NOTHING: HandedOut = {
  ranges: [],
  identities: [],
  continuation: { resume: true, delayMs: 1_000 },
};

/** How long a call waits for something to hand out before it lets the runner checkpoint. */
const WATCH_MS_MAX = 1_000;

/**
 * Emits `FileRange`s of complete records, unbounded. Its restriction says how far each file was handed out, so a
 * runner that goes back to an earlier one gets the same ranges, or larger ones, again; the newer attempt counts.
 */
class WatchDirectoryFn implements SplittableDoFn<unknown, WatchState, WatchState, number> {
  readonly #config: DirectoryConfig;
  #setup!: SetupContext;
  #lineage = 0;
  #live!: { watcher: DirectoryWatcher | undefined };
  #identities: StoredFile[] = [];
  /** As the bundle under way has found it first. */
  #pulse: number | undefined;

  constructor(config: ReadFromDirectoryConfig) {
    this.#config = readFromDirectoryConfig.parse(config);
  }

  async setup(context: SetupContext): Promise<void> {
    this.#setup = context;
    this.#live = context.shared("watcher", () => ({ watcher: undefined }));
    this.#lineage = await takeLineage(context.database);
  }

  initialRestriction(): WatchState {
    return NOTHING_HANDED_OUT;
  }

  createTracker(state: WatchState): WatchTracker {
    return new WatchTracker(state);
  }

  /** A drain hands out nothing more: what is left is read by the next run. */
  truncateRestriction(): undefined {
    return undefined;
  }

  initialWatermarkState(): number {
    return this.#setup.restoredWatermarkMs ?? MIN_TIMESTAMP_MS;
  }

  createWatermarkEstimator(stateMs: number): ManualWatermarkEstimator {
    return manualWatermarkEstimator(stateMs);
  }

  startBundle(): void {
    this.#identities = [];
    this.#pulse = undefined;
  }

  async process(
    _element: unknown,
    tracker: RestrictionTracker<WatchState, WatchState>,
    context: SplittableProcessContext<number>,
  ): Promise<ProcessContinuation> {
    const watcher = await this.#watcherFor(tracker.currentRestriction(), context);
    this.#live.watcher = undefined; // it is ahead of what is claimed
    try {
      return await this.#watch(watcher, tracker, context);
    } finally {
      if (this.#live.watcher !== watcher) watcher.close();
    }
  }

  async #watch(
    watcher: DirectoryWatcher,
    tracker: RestrictionTracker<WatchState, WatchState>,
    context: SplittableProcessContext<number>,
  ): Promise<ProcessContinuation> {
    const { ranges, identities, delayMs } = await this.#find(watcher);
    watcher.step++;
    if (!tracker.tryClaim(watcher.state())) return { resume: true, delayMs: 0 };
    this.#live.watcher = watcher;
    for (const { range } of ranges) context.output(range);
    this.#identities.push(...identities);
    const estimator = context.watermarkEstimator as ManualWatermarkEstimator;
    estimator.setWatermark(watcher.watermark.currentMs);
    return { resume: true, delayMs };
  }

  /** Looks at the directory until there is something to hand out, for a while. */
  async #find(watcher: DirectoryWatcher): Promise<HandedOut & { readonly delayMs: number }> {
    const { clock, signal } = this.#setup;
    if (await this.#isDraining()) return { ...NOTHING, delayMs: WATCH_MS_MAX };
    const untilMs = clock.monotonicMs() + WATCH_MS_MAX;
    for (;;) {
      const found = await watcher.next(this.#lineage);
      const isIdle = found.ranges.length === 0 && found.identities.length === 0;
      if (!isIdle) return { ...found, delayMs: 0 };
      const leftMs = untilMs - clock.monotonicMs();
      const delayMs = found.continuation.resume ? found.continuation.delayMs : WATCH_MS_MAX;
      if (leftMs <= 0 || signal.aborted) return { ...found, delayMs: Math.min(delayMs, WATCH_MS_MAX) };
      await this.#rest(found.continuation, Math.min(delayMs, leftMs));
    }
  }

  /** Asked once a call: what was handed out before is read all the same. */
  async #isDraining(): Promise<boolean> {
    const { database, pipeline, runId } = this.#setup;
    const signs = runId === undefined ? undefined : await readSigns(database, { pipeline, shard: 0 }, runId);
    this.#pulse ??= signs?.pulse;
    return signs?.isDraining ?? false;
  }

  async #rest(continuation: ProcessContinuation, ms: number): Promise<void> {
    const woken = new AbortController();
    if (continuation.resume) continuation.wake?.then(() => woken.abort());
    await this.#setup.clock.sleep(Math.max(1, ms), AbortSignal.any([woken.signal, this.#setup.signal]));
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    this.#beatAfter(context);
    if (this.#identities.length === 0) return;
    const latest = new Map(this.#identities.map((file) => [file.fileId, file]));
    const transaction = await context.transaction();
    await upsertIdentities(transaction, this.#setup.pipeline, [...latest.values()].map(toRow));
  }

  /**
   * At a checkpoint's end a runner may call back also for bundles that the checkpoint does not hold (Beam's for Flink
   * does), so a call says only that one more has come. What bundles that began beside each other hear is the same one.
   */
  #beatAfter(context: FinishBundleContext): void {
    const { database, pipeline, runId } = this.#setup;
    const pulse = this.#pulse;
    if (pulse === undefined || runId === undefined) return;
    context.afterCommit(() => beat(database, { pipeline, shard: 0 }, runId, pulse + 1));
  }

  teardown(): void {
    this.#live?.watcher?.close();
    if (this.#live !== undefined) this.#live.watcher = undefined;
  }

  /** The live one if it made the last step of this state, else a new one that begins with it. */
  async #watcherFor(state: WatchState, context: SplittableProcessContext<number>): Promise<DirectoryWatcher> {
    const { watcher } = this.#live;
    if (watcher !== undefined && watcher.id === state.watcher && watcher.step === state.step) return watcher;
    watcher?.close();
    await restartSettling(this.#setup.database, this.#setup.pipeline);
    const watermarkMs = context.watermarkEstimator.currentWatermarkMs();
    return DirectoryWatcher.open(state, watermarkMs, this.#config, this.#setup);
  }
}

registerDoFn<ReadFromDirectoryConfig>("watch_directory@1", (config) => new WatchDirectoryFn(config));
