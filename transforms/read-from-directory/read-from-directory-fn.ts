/** The splittable DoFn that reads the files of a directory, each record once. */
import { resolve } from "node:path";
import { type FileRef, InputRecord, type ScannedRecord } from "../input-record.js";
import type {
  FinishBundleContext,
  ProcessContinuation,
  ReadProgress,
  RestrictionTracker,
  SetupContext,
  SplittableDoFn,
  SplittableProcessContext,
} from "../primitives/do-fn.js";
import { failpoint } from "../primitives/failpoint.js";
import { registerDoFn } from "../primitives/fn-registry.js";
import { MIN_TIMESTAMP_MS } from "../primitives/timestamp-bounds.js";
import type { WatermarkEstimator } from "../primitives/watermark-estimator.js";
import { createRecordFormat } from "../record-format.js";
import { DirectorySource } from "./directory-source.js";
import { DirectoryWatermark } from "./directory-watermark.js";
import { type FileSystem, realFileSystem } from "./file-system.js";
import { FileVisitor, type RecordTarget } from "./file-visitor.js";
import type { PositionsSnapshot } from "./positions-snapshot.js";
import {
  type DirectoryConfig,
  inputDirectory,
  type ReadFromDirectoryConfig,
  readFromDirectoryConfig,
} from "./read-from-directory-config.js";
import { type RecordRange, RecordRangeTracker } from "./record-range.js";
import type { SourcePositions } from "./source-positions.js";
import { storedPositions } from "./stored-positions.js";

/** What a test may replace. */
export interface ReadFromDirectoryParts {
  readonly fileSystem: FileSystem;
  readonly positions: (context: SetupContext) => SourcePositions;
}

const realParts: ReadFromDirectoryParts = {
  fileSystem: realFileSystem,
  positions: (context) => storedPositions(context.database, context.pipeline),
};

/**
 * Reads every record of every file in a directory: unbounded as a stream, bounded in available-now
 * mode. Emits `InputRecord`s with their event time, in the order in which files were discovered, then
 * by offset. Exactly once: positions are stored in the transaction of the bundle that holds the
 * records, and reading starts from the stored ones. The element is ignored, the configuration says all.
 */
export class ReadFromDirectoryFn implements SplittableDoFn<unknown, RecordRange, number, number> {
  readonly restoresPosition = true;
  readonly #config: DirectoryConfig;
  readonly #parts: ReadFromDirectoryParts;
  #shared: SharedSource | undefined;
  #source: DirectorySource<BundleTarget> | undefined;
  #bundle: BundleTarget | undefined;
  #snapshots: PositionsSnapshot[] = [];

  /** @throws ZodError when the configuration is not one. */
  constructor(config: ReadFromDirectoryConfig, parts: ReadFromDirectoryParts = realParts) {
    this.#config = readFromDirectoryConfig.parse(config);
    this.#parts = parts;
  }

  async setup(context: SetupContext): Promise<void> {
    this.#shared = context.shared("directory", () => new SharedSource());
    this.#source = await this.#shared.acquire(() => openSource(this.#config, this.#parts, context));
  }

  initialRestriction(): RecordRange {
    return { start: 0, end: null };
  }

  createTracker(restriction: RecordRange): RecordRangeTracker {
    return new RecordRangeTracker(restriction);
  }

  /** A drain reads nothing more: what is left is in the files' positions, for the next run. */
  truncateRestriction(): undefined {
    return undefined;
  }

  initialWatermarkState(): number {
    return this.#watermark.currentMs;
  }

  createWatermarkEstimator(stateMs: number): WatermarkEstimator<number> {
    const currentMs = () => Math.max(stateMs, this.#watermark.currentMs);
    return { currentWatermarkMs: currentMs, state: currentMs };
  }

  startBundle(): void {
    this.#snapshots = [];
    this.#bundle = undefined;
  }

  async process(
    _element: unknown,
    tracker: RestrictionTracker<RecordRange, number>,
    context: SplittableProcessContext<number>,
  ): Promise<ProcessContinuation> {
    const source = this.#source!;
    this.#bundle ??= new BundleTarget(this.#config, this.#watermark);
    this.#bundle.enter(tracker, context);
    try {
      return await source.read(this.#bundle);
    } finally {
      this.#bundle.leave();
      this.#watermark.advance(source.unfinished, source.isIdle);
      // taken now: when this bundle is committed, the source has read on for the next ones
      const snapshot = source.snapshot();
      if (snapshot !== undefined) this.#snapshots.push(snapshot);
    }
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    const snapshots = this.#snapshots;
    if (snapshots.length === 0) return;
    const transaction = await context.transaction();
    for (const snapshot of snapshots) await this.#shared!.positions!.save(transaction, snapshot.files);
    failpoint("after-positions");
    context.afterCommit(() => {
      for (const snapshot of snapshots) snapshot.committed();
    });
  }

  progress(): ReadProgress {
    const startOffset = Object.assign(
      {},
      ...this.#snapshots.toReversed().map((snapshot) => snapshot.startOffset),
    );
    const endOffset = Object.assign({}, ...this.#snapshots.map((snapshot) => snapshot.endOffset));
    const landedAtMs = Object.assign({}, ...this.#snapshots.map((snapshot) => snapshot.landedAtMs));
    const records = this.#bundle?.records ?? 0;
    const backlog = this.#source?.backlog() ?? { backlogBytes: 0, backlogFiles: 0 };
    return {
      description: `directory ${this.#config.directory}`,
      startOffset,
      endOffset,
      landedAtMs,
      records,
      ...backlog,
    };
  }

  get #watermark(): DirectoryWatermark {
    return this.#shared!.watermark!;
  }

  teardown(): void {
    this.#shared?.release();
    this.#shared = undefined;
    this.#source = undefined;
  }
}

registerDoFn<ReadFromDirectoryConfig>("read_from_directory@1", (config) => new ReadFromDirectoryFn(config));

interface OpenedSource {
  readonly source: DirectorySource<BundleTarget>;
  readonly positions: SourcePositions;
  readonly watermark: DirectoryWatermark;
}

/** The one live source of all instances; the last to leave closes it, the next opens it anew. */
class SharedSource {
  positions: SourcePositions | undefined;
  watermark: DirectoryWatermark | undefined;
  #users = 0;
  #opening: Promise<OpenedSource> | undefined;

  async acquire(open: () => Promise<OpenedSource>): Promise<DirectorySource<BundleTarget>> {
    this.#users++;
    this.#opening ??= open();
    try {
      const { source, positions, watermark } = await this.#opening;
      this.positions = positions;
      this.watermark = watermark;
      return source;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  release(): void {
    if (--this.#users > 0) return;
    this.#opening?.then(({ source }) => source.close()).catch(() => undefined); // it never opened
    this.#opening = undefined;
  }
}

async function openSource(
  config: DirectoryConfig,
  parts: ReadFromDirectoryParts,
  context: SetupContext,
): Promise<OpenedSource> {
  const archiveDirectory = resolve(config.archiveDirectory);
  const directory = inputDirectory(config, parts.fileSystem);
  const positions = parts.positions(context);
  const { clock, log, mode, signal } = context;
  const { order, quietMs, whenDone, isWatching } = config;
  const format = createRecordFormat(config.format);
  const visitor = new FileVisitor({ directory, format, clock, signal, quietMs });
  const options = {
    ...{
      directory,
      positions,
      clock,
      log,
      mode,
      signal,
      order,
      quietMs,
      whenDone,
      isWatching,
      archiveDirectory,
    },
    doneAfterMs: mode === "available-now" ? Math.min(quietMs, config.doneAfterMs) : config.doneAfterMs,
  };
  const source = await DirectorySource.open(options, visitor);
  const { outOfOrdernessMs, idleMs } = config;
  const watermark = new DirectoryWatermark(
    { outOfOrdernessMs, idleMs, clock },
    context.restoredWatermarkMs ?? MIN_TIMESTAMP_MS,
  );
  return { source, positions, watermark };
}

/** A bundle as the source sees it: limits, claims, counts. */
class BundleTarget implements RecordTarget {
  records = 0;
  #bytes = 0;
  #tracker!: RestrictionTracker<RecordRange, number>;
  /** Number of the next record. */
  #next = 0;
  #context!: SplittableProcessContext<number>;
  /** A number was claimed for a record that did not come: it is the next one's. */
  #hasClaim = false;
  #isRefused = false;
  #counted = 0;
  #file: FileRef | undefined;
  /** Of the records counted. */
  #largestMs = MIN_TIMESTAMP_MS;

  constructor(
    readonly config: DirectoryConfig,
    readonly watermark: DirectoryWatermark,
  ) {}

  enter(tracker: RestrictionTracker<RecordRange, number>, context: SplittableProcessContext<number>): void {
    this.#tracker = tracker;
    this.#next = tracker.currentRestriction().start;
    this.#context = context;
    this.#hasClaim = false;
    this.#isRefused = false;
  }

  /** Counts what was read: once a file instead of once a record. */
  leave(): void {
    if (this.#file !== undefined) {
      this.#context.ledger.add(this.#file.fileId, "records_read", this.#counted);
      this.watermark.emitted(this.#file.fileId, this.#largestMs);
    }
    this.#file = undefined;
    this.#counted = 0;
    this.#largestMs = MIN_TIMESTAMP_MS;
  }

  get isFull(): boolean {
    const { recordsPerBundleMax, bytesPerBundleMax } = this.config;
    if (this.#isRefused || this.records >= recordsPerBundleMax) return true;
    return this.records > 0 && this.#bytes >= bytesPerBundleMax;
  }

  claim(): boolean {
    if (this.#hasClaim) return true;
    if (this.records >= this.config.recordsPerBundleMax) return false;
    this.#hasClaim = this.#tracker.tryClaim(this.#next);
    if (this.#hasClaim) this.#next++;
    this.#isRefused = !this.#hasClaim;
    return this.#hasClaim;
  }

  emit(file: FileRef, record: ScannedRecord): void {
    if (file !== this.#file) {
      this.leave();
      this.#file = file;
    }
    this.#hasClaim = false;
    this.#counted++;
    this.records++;
    const { timestampMs } = record;
    if (timestampMs !== undefined && timestampMs > this.#largestMs) this.#largestMs = timestampMs;
    this.#context.output(new InputRecord(file, record), timestampMs);
  }

  addBytes(count: number): void {
    this.#bytes += count;
  }
}
