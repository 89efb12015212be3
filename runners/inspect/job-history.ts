/** The past of a job in the database: written now and then beside its commits, in a session of its own, and bounded. */
import {
  type BatchRowWithSources,
  fillUpBatches,
  insertBatches,
  pruneBatches,
  readBatch,
  readBatches,
} from "../../sql/batch-history.js";
import { type FileRow, type FileRowsQuery, readFileRows } from "../../sql/file-views.js";
import {
  insertSamples,
  type JobSample,
  pruneSamples,
  readSampleSpans,
  type SampleSpan,
} from "../../sql/job-samples.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";

/** Epochs that are kept in full. */
export const BATCHES_KEPT = 5_000;
/** Short steps are kept for an hour, long ones for a day and a bit. */
export const SHORT_STEP_MS = 1_000;
const SHORT_STEPS_KEPT_MS = 3_600_000;
export const LONG_STEP_MS = 10_000;
const LONG_STEPS_KEPT_MS = 25 * 3_600_000;
/** What waits for a database that is away; older ones are let go of. */
const WAITING_MAX = 2_000;
const STATEMENT_TIMEOUT_MS = 10_000;

export class JobHistory {
  readonly #pipeline: string;
  readonly #connection: ConnectionConfig;
  #session: Promise<SqlSession> | undefined;
  #isFilledUp = false;
  #batches: BatchRowWithSources[] = [];
  #samples: JobSample[] = [];

  constructor(pipeline: string, connection: ConnectionConfig) {
    this.#pipeline = pipeline;
    this.#connection = connection;
  }

  addBatch(batch: BatchRowWithSources): void {
    this.#batches = [...this.#batches.slice(1 - WAITING_MAX), batch];
  }

  addSample(sample: JobSample): void {
    this.#samples = [...this.#samples.slice(1 - WAITING_MAX), sample];
  }

  /** Writes what was added. What could not be written is tried again the next time. */
  async flush(): Promise<void> {
    const [batches, samples] = [this.#batches, this.#samples];
    if (batches.length === 0 && samples.length === 0) return;
    await this.use(async (session) => {
      await insertBatches(session, this.#pipeline, batches);
      await insertSamples(session, this.#pipeline, samples);
      this.#batches = this.#batches.filter((batch) => !batches.includes(batch));
      this.#samples = this.#samples.filter((sample) => !samples.includes(sample));
      if (this.#isFilledUp) return;
      await fillUpBatches(session, this.#pipeline, BATCHES_KEPT);
      this.#isFilledUp = true;
    });
  }

  /** Removes what is older than what is kept. */
  async prune(nowMs: number): Promise<void> {
    await this.use(async (session) => {
      await pruneBatches(session, this.#pipeline, BATCHES_KEPT);
      await pruneSamples(session, this.#pipeline, SHORT_STEP_MS, nowMs - SHORT_STEPS_KEPT_MS);
      await pruneSamples(session, this.#pipeline, LONG_STEP_MS, nowMs - LONG_STEPS_KEPT_MS);
    });
  }

  batches(before: number | undefined, limit: number) {
    return this.use((session) => readBatches(session, this.#pipeline, { before, limit }));
  }

  batch(epoch: number) {
    return this.use((session) => readBatch(session, this.#pipeline, epoch));
  }

  files(query: FileRowsQuery): Promise<FileRow[]> {
    return this.use((session) => readFileRows(session, this.#pipeline, query));
  }

  /** In the shortest steps that are kept for all of the range; each span is a whole number of them. */
  spans(range: { fromMs: number; toMs: number; points: number; nowMs: number }): Promise<SampleSpan[]> {
    const { fromMs, toMs, points, nowMs } = range;
    const stepMs = fromMs >= nowMs - SHORT_STEPS_KEPT_MS ? SHORT_STEP_MS : LONG_STEP_MS;
    const spanMs = Math.max(1, Math.ceil((toMs - fromMs) / points / stepMs)) * stepMs;
    return this.use((session) => readSampleSpans(session, this.#pipeline, { stepMs, fromMs, toMs, spanMs }));
  }

  async use<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    this.#session ??= this.#connect();
    const opening = this.#session;
    try {
      const session = await opening;
      if (session.broken !== undefined) throw session.broken;
      return await work(session);
    } catch (error) {
      const session = await opening.catch(() => undefined); // it never opened
      if (session === undefined || session.broken !== undefined) {
        // the next one opens it anew
        if (this.#session === opening) this.#session = undefined;
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    const opening = this.#session;
    this.#session = undefined;
    const session = await opening?.catch(() => undefined); // it never opened
    await session?.close();
  }

  async #connect(): Promise<SqlSession> {
    const session = await SqlSession.connect({
      connection: this.#connection,
      applicationName: "millrace/monitor",
    });
    await session.query(`set statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    return session;
  }
}
