/** The splittable DoFn that reads pending retries of dead letters, each once. */
import { type PendingRetry, readClock, readPendingRetries } from "../sql/dead-letter-retries.js";
import type { SqlQueries } from "../sql/sql-session.js";
import type {
  ProcessContinuation,
  RestrictionTracker,
  SetupContext,
  SplittableDoFn,
  SplittableProcessContext,
} from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { MAX_TIMESTAMP_MS } from "./primitives/timestamp-bounds.js";
import type { WatermarkEstimator } from "./primitives/watermark-estimator.js";
import { type RecordRange, RecordRangeTracker } from "./read-from-directory/record-range.js";
import { readRetry } from "./read-retry.js";
import { createRecordFormat, type RecordFormat, type RecordFormatSpec } from "./record-format.js";

export type ReadDeadLetterRetriesConfig = {
  /** Of the files in which the records stood. */
  readonly format: RecordFormatSpec;
  /** Fields of an edited record, in order, where its file's header is of no use. */
  readonly columns: readonly string[];
};

/** How often it is asked for new requests while there are none. */
const POLL_MS = 1_000;

/**
 * Reads the retries that are asked for in `dead_letters`, by polling: unbounded as a stream, in available-now mode up
 * to what was asked for before the start. Exactly once: the commit that holds what became of a record ends its
 * request, and what is not committed is still pending for the next run. The element is ignored.
 */
export class ReadDeadLetterRetriesFn implements SplittableDoFn<unknown, RecordRange, number, number> {
  readonly restoresPosition = true;
  readonly #columns: readonly string[];
  readonly #format: RecordFormat;
  #database: SqlQueries | undefined;
  #pipeline = "";
  #isOnce = false;
  /** Read, and not known to be committed: another bundle must not read them. */
  #inFlight = new Set<number>();
  /** When the run began, by the database's clock; known from the first look on. */
  #start: { before: string | null } = { before: null };

  constructor({ format, columns }: ReadDeadLetterRetriesConfig) {
    this.#columns = columns;
    this.#format = createRecordFormat(format);
  }

  /** @throws where bundles may repeat: a record would be tried twice */
  setup(context: SetupContext): void {
    if (context.bundlesMayRepeat) {
      throw new Error(`${context.step} reads retries of dead letters, which needs bundles that never repeat`);
    }
    this.#database = context.database;
    this.#pipeline = context.pipeline;
    this.#isOnce = context.mode === "available-now";
    this.#inFlight = context.shared("inFlight", () => new Set<number>());
    this.#start = context.shared("start", () => ({ before: null }));
  }

  initialRestriction(): RecordRange {
    return { start: 0, end: null };
  }

  createTracker(restriction: RecordRange): RecordRangeTracker {
    return new RecordRangeTracker(restriction);
  }

  /** A drain reads nothing more: what is pending is the next run's. */
  truncateRestriction(): undefined {
    return undefined;
  }

  initialWatermarkState(): number {
    return MAX_TIMESTAMP_MS;
  }

  /** Holds nothing back: a record that is tried again is as late as it is. */
  createWatermarkEstimator(stateMs: number): WatermarkEstimator<number> {
    return { currentWatermarkMs: () => stateMs, state: () => stateMs };
  }

  async process(
    _element: unknown,
    tracker: RestrictionTracker<RecordRange, number>,
    context: SplittableProcessContext<number>,
  ): Promise<ProcessContinuation> {
    const retries = await this.#pending();
    const ids: number[] = [];
    let next = tracker.currentRestriction().start;
    for (const retry of retries) {
      if (!tracker.tryClaim(next)) break;
      next++;
      ids.push(retry.id);
      this.#inFlight.add(retry.id);
      const { record, timestampMs } = readRetry(retry, this.#format, this.#columns);
      context.outputTo("letters", record.origin.letter);
      context.outputTo("records", record, timestampMs);
    }
    if (retries.length === 0) return this.#isOnce ? { resume: false } : { resume: true, delayMs: POLL_MS };
    context.afterCommit(() => {
      for (const id of ids) this.#inFlight.delete(id);
    });
    return { resume: true, delayMs: 0 };
  }

  async #pending(): Promise<PendingRetry[]> {
    const database = this.#database!;
    if (this.#isOnce) this.#start.before ??= await readClock(database);
    return await readPendingRetries(database, this.#pipeline, [...this.#inFlight], this.#start.before);
  }
}

registerDoFn<ReadDeadLetterRetriesConfig>(
  "read_dead_letter_retries@1",
  (config) => new ReadDeadLetterRetriesFn(config),
);
