/** Watches a running job for a monitor: live figures from what it tells, its past from the database. */
import { hostname } from "node:os";
import { redact } from "../../sql/redact.js";
import { listSavepoints } from "../../sql/savepoints.js";
import type { ConnectionConfig, SqlQueries, SqlSession } from "../../sql/sql-session.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";
import type { CommitReport, Job, JobEvent, JobState } from "../job/job.js";
import {
  ActionRefusedError,
  type FileQuery,
  type InspectionEvent,
  type JobInspection,
  type PageQuery,
  type Readiness,
  type SeriesQuery,
} from "../job/job-inspection.js";
import type {
  Batch,
  BatchDetail,
  Checkpoints,
  FileView,
  GraphFigures,
  JobAction,
  JobGraph,
  JobOverview,
  Page,
  Series,
  StepSamples,
} from "../job/job-view.js";
import { batchRow, toBatch, toBatchDetail } from "./batch-views.js";
import { checkpointsOf } from "./checkpoints.js";
import { elementText } from "./element-text.js";
import { JobHistory, LONG_STEP_MS, SHORT_STEP_MS } from "./job-history.js";
import { type LastCommit, readLastCommit } from "./last-commit.js";
import { latenciesOf } from "./latencies.js";
import { backlogOf, LiveFigures } from "./live-figures.js";
import { numberOf, pageOf } from "./page-of.js";
import { ProcessUsage } from "./process-usage.js";
import { SampleStep } from "./sample-steps.js";
import { toSeries } from "./series.js";
import { StepRates } from "./step-rates.js";
import { withUnknownFigures } from "./unknown-figures.js";
import { verdictOf } from "./verdict.js";

const TICK_MS = 1_000;
const FLUSH_EVERY_TICKS = 2;
const PRUNE_EVERY_TICKS = 60;
/** A retry is news for so long after it was to happen, if nothing was committed since. */
const RETRY_SHOWN_MS = 5_000;
const CHECKPOINTS_SHOWN = 50;
/** Event times beyond these are Beam's "before all" and "after all", and no time of any clock. */
const DATE_MS_MAX = 8_640_000_000_000_000;
/** Events that wait for the first who listens. */
const UNTOLD_MAX = 1_000;

export interface InspectorOptions {
  readonly runner: string;
  readonly version: string;
  readonly graph: JobGraph;
  readonly connection: ConnectionConfig;
  /** Whether dead letters can be sent through the job again. */
  readonly takesRetries: boolean;
  /** Keeps where the pipeline is, in this session; absent where the runner has none. @throws ActionRefusedError */
  readonly takeSavepoint?: ((session: SqlSession) => Promise<void>) | undefined;
  /** What the job has told already. */
  readonly early: readonly JobEvent[];
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

interface Retry {
  readonly reason: string;
  readonly atMs: number;
  readonly untilMs: number;
}

/** Looks on from its making; its own failures are logged, and never the job's. */
export class JobInspector implements JobInspection {
  readonly graph: JobGraph;
  readonly #job: Job;
  readonly #options: InspectorOptions;
  readonly #history: JobHistory;
  readonly #live: LiveFigures;
  readonly #rates: StepRates;
  readonly #usage: ProcessUsage;
  readonly #steps: readonly SampleStep[];
  readonly #startedAtMs: number;
  readonly #listeners = new Set<(event: InspectionEvent) => void>();
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;
  #flushing: Promise<void> = Promise.resolve();
  #last: LastCommit | undefined;
  #retries = 0;
  #failures: Retry[] = [];
  /** What has happened before anybody listened; undefined once somebody does. */
  #untold: InspectionEvent[] | undefined = [];

  constructor(job: Job, options: InspectorOptions) {
    const nowMs = options.clock.now();
    this.graph = withUnknownFigures(options.graph, job.live);
    this.#job = job;
    this.#options = options;
    this.#startedAtMs = options.startedAtMs;
    this.#history = new JobHistory(job.pipeline, options.connection);
    this.#live = new LiveFigures(options.startedAtMs);
    this.#rates = new StepRates(options.graph, job.live, options.startedAtMs);
    this.#usage = new ProcessUsage();
    this.#steps = [SHORT_STEP_MS, LONG_STEP_MS].map((stepMs) => new SampleStep(stepMs, nowMs));
    for (const event of options.early) this.#take(event);
    this.#unsubscribe = job.subscribe((event) => this.#take(event));
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  overview(): JobOverview {
    const { runner, version, clock } = this.#options;
    const { pipeline, state, totals, sources, live } = this.#job;
    const nowMs = clock.now();
    const backlog = backlogOf(sources);
    const watermarkMs = this.#last?.watermarkMs ?? null;
    const judged = {
      ...{ pipeline, runner, version, state, totals, nowMs, watermarkMs },
      runId: this.#last?.runId ?? null,
      isPaused: live?.isPaused === true,
      failure: this.#trouble(nowMs),
      startedAtMs: this.#startedAtMs,
      retries: this.#retries,
      ...this.#live.rates(nowMs),
      latencyMs: this.#live.latency(nowMs),
      backlogFiles: backlog.files,
      backlogBytes: backlog.bytes,
      watermarkLagMs: watermarkMs === null ? null : nowMs - watermarkMs,
      epoch: this.#last?.epoch ?? 0,
      lastCommitAtMs: this.#last?.atMs ?? null,
      actions: this.#actions(),
      process: { pid: process.pid, host: hostname(), ...this.#usage.last },
    };
    return { ...judged, verdict: verdictOf(judged) };
  }

  readiness(): Readiness {
    const { state } = this.#job;
    const trouble = this.#trouble(this.#options.clock.now());
    const reasons = [
      ...(state === "RUNNING" ? [] : [`the job is ${state}`]),
      ...(trouble === null ? [] : [trouble]),
    ];
    return { ready: reasons.length === 0, reasons };
  }

  figures(): GraphFigures {
    return this.#rates.at(this.#options.clock.now(), this.#job.metrics);
  }

  samples(step: string): StepSamples | undefined {
    const known = this.graph.steps.find(({ id }) => id === step);
    if (known === undefined) return undefined;
    const elements = (this.#job.live?.samples(step) ?? []).map(({ output, timestampMs, value }) => ({
      output,
      eventTimeMs: Math.abs(timestampMs) > DATE_MS_MAX ? null : timestampMs,
      text: redact(elementText(value)),
    }));
    return { step, reason: known.unknown?.samples ?? null, elements };
  }

  async series({ fromMs, toMs, points }: SeriesQuery): Promise<Series> {
    const nowMs = this.#options.clock.now();
    return toSeries(await this.#history.spans({ fromMs, toMs, points, nowMs }), fromMs, toMs);
  }

  async batches({ before, limit }: PageQuery): Promise<Page<Batch>> {
    await this.#flush();
    const rows = await this.#history.batches(numberOf(before), limit + 1);
    return pageOf(rows, limit, toBatch, ({ epoch }) => epoch);
  }

  async batch(epoch: number): Promise<BatchDetail | undefined> {
    await this.#flush();
    const row = await this.#history.batch(epoch);
    return row === undefined ? undefined : toBatchDetail(row);
  }

  async checkpoints(): Promise<Checkpoints> {
    await this.#flush();
    const rows = await this.#history.batches(undefined, CHECKPOINTS_SHOWN);
    const savepoints = await this.#history.use((session) => listSavepoints(session, this.#job.pipeline));
    return checkpointsOf(rows.map(toBatch), {
      savepoints: savepoints.slice(0, CHECKPOINTS_SHOWN),
      completed: this.#last?.epoch ?? 0,
      restoredAt: this.#last?.restored,
      failures: this.#failures,
      failed: this.#retries,
      startedAtMs: this.#startedAtMs,
      runner: this.#options.runner,
    });
  }

  async files({ before, limit, search, state }: FileQuery): Promise<Page<FileView>> {
    const query = { before: numberOf(before), limit: limit + 1, search, state };
    const rows = await this.#history.files(query);
    return pageOf(
      rows,
      limit,
      (row) => {
        const { recordsRead, eventsWritten, duplicates, conflicts, deadLetters, ...file } = row;
        const counts = { recordsRead, eventsWritten, duplicates, conflicts, deadLetters };
        return { ...file, isCompressed: file.path.endsWith(".gz"), counts };
      },
      ({ fileId }) => fileId,
    );
  }

  async act(action: JobAction): Promise<JobState> {
    if (!this.#actions().includes(action)) {
      const { pipeline, state } = this.#job;
      throw new ActionRefusedError(
        `pipeline "${pipeline}" cannot ${action} now: it is ${state}, runner ${this.#options.runner}`,
      );
    }
    const { live } = this.#job;
    const { takeSavepoint } = this.#options;
    if (action === "pause") live?.pause();
    else if (action === "resume") live?.resume();
    else if (action === "drain") void this.#job.drain();
    else if (action === "cancel") void this.#job.cancel();
    else if (action === "savepoint") await this.#history.use(async (session) => takeSavepoint?.(session));
    return this.#job.state;
  }

  /** The database of the job, for what is shown beside it: statements outside of transactions. */
  get queries(): SqlQueries {
    return { query: (text, values) => this.#history.use((session) => session.query(text, values)) };
  }

  subscribe(listener: (event: InspectionEvent) => void): () => void {
    for (const event of this.#untold ?? []) listener(event);
    this.#untold = undefined;
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What the database has of the pipeline from earlier runs, until something is committed. */
  async lookBack(): Promise<void> {
    const last = await this.#history.use((session) => readLastCommit(session, this.#job.pipeline));
    this.#last ??= last;
  }

  /** Writes what is not written yet, and looks no more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe();
    await this.#flush();
    await this.#history.close();
  }

  #take(event: JobEvent): void {
    if (event.type === "commit") this.#committed(event.commit);
    else if (event.type === "retry") {
      const { reason, code, delayMs } = event;
      const nowMs = this.#options.clock.now();
      this.#retries += 1;
      const failure = { reason: redact(reason), atMs: nowMs, untilMs: nowMs + delayMs + RETRY_SHOWN_MS };
      this.#failures = [...this.#failures.slice(1 - CHECKPOINTS_SHOWN), failure];
      this.#tell({ type: "retry", sqlStateClass: code === null ? "none" : code.slice(0, 2) });
    }
  }

  #committed(commit: CommitReport): void {
    const row = batchRow(commit);
    const batch = toBatch(row);
    const { epoch, runId, committedAtMs: atMs, watermarkMs } = commit;
    const isFirst = this.#last === undefined;
    const restored = isFirst ? (epoch > 1 ? epoch - 1 : undefined) : this.#last?.restored;
    this.#last = { epoch, runId, atMs, watermarkMs, restored };
    this.#live.add(commit);
    for (const step of this.#steps) step.add(batch, latenciesOf(commit));
    this.#history.addBatch(row);
    this.#tell({ type: "batch", batch });
  }

  #tell(event: InspectionEvent): void {
    if (this.#untold !== undefined && this.#untold.length < UNTOLD_MAX) this.#untold.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  #tick(): void {
    const { watermarkLagMs, backlogBytes, backlogFiles, nowMs } = this.overview();
    const gauges = { watermarkLagMs, backlogBytes, backlogFiles, ...this.#usage.measure() };
    for (const step of this.#steps) {
      const sample = step.tick(nowMs, gauges);
      if (sample !== undefined) this.#history.addSample(sample);
    }
    this.#ticks += 1;
    if (this.#ticks % FLUSH_EVERY_TICKS === 0) void this.#flush();
    if (this.#ticks % PRUNE_EVERY_TICKS === 1) {
      this.#history.prune(nowMs).catch((error: Error) => this.#notWritten(error));
    }
  }

  /** One after the other; a database that is away is the job's to report. */
  #flush(): Promise<void> {
    this.#flushing = this.#flushing
      .then(() => this.#history.flush())
      .catch((error: Error) => this.#notWritten(error));
    return this.#flushing;
  }

  #notWritten(error: Error): void {
    this.#options.log.debug(`the history was not written: ${error.message}`);
  }

  #trouble(nowMs: number): string | null {
    const { failure } = this.#job;
    if (failure !== undefined) return redact(failure.message);
    const retry = this.#failures.at(-1);
    if (retry === undefined || nowMs > retry.untilMs) return null;
    return (this.#last?.atMs ?? 0) > retry.atMs ? null : retry.reason;
  }

  #actions(): JobAction[] {
    const { state, live } = this.#job;
    if (state !== "STARTING" && state !== "RUNNING") return state === "DRAINING" ? ["cancel"] : [];
    const pausing: JobAction[] = live === undefined ? [] : [live.isPaused ? "resume" : "pause"];
    const retries: JobAction[] = this.#options.takesRetries ? ["retry-dead-letters"] : [];
    const savepoints: JobAction[] = this.#options.takeSavepoint === undefined ? [] : ["savepoint"];
    return [...pausing, "drain", "cancel", ...savepoints, ...retries];
  }
}
