/** A pipeline running on the direct runner. */
import type { ConnectionConfig, SqlQueries } from "../../sql/sql-session.js";
import { NO_COUNTS } from "../bundle/bundle-ledger.js";
import { ElementSamples } from "../bundle/element-samples.js";
import { type Sink, sinkText } from "../graph/sinks.js";
import { stateShapeOf } from "../graph/state-shape.js";
import type { Plan } from "../graph/translate.js";
import type {
  Job,
  JobEvent,
  JobState,
  RecordCounts,
  SinkDatabaseStatus,
  SourceProgress,
} from "../job/job.js";
import { JobEvents } from "../job/job-events.js";
import type { JobMessage } from "../job/messages.js";
import type { MetricResults } from "../job/metrics.js";
import { MetricsStore } from "../job/metrics-store.js";
import type { RunnerOptions } from "../job/runner.js";
import type { Committer } from "./epoch.js";
import type { EpochLoop } from "./epoch-loop.js";
import { stepsWithState } from "./kept-state.js";
import { LiveDirectJob } from "./live-direct-job.js";
import { CommitLog } from "./log/commit-log.js";
import { LogCommitter } from "./log/log-epoch.js";
import type { EpochReport } from "./loop-options.js";
import { Pausing } from "./pausing.js";
import { PostgresCommitter, type Run } from "./postgres-epoch.js";
import { PostgresSessions } from "./postgres-sessions.js";
import { OutboxReplay } from "./replay/outbox-replay.js";
import { type RestoredRecords, runPlan } from "./run-plan.js";
import { VolatileCommitter } from "./volatile-epoch.js";

/**
 * With a connection, committed in PostgreSQL and restarted from there; with a folder, committed in a log there; without
 * either, in memory alone.
 */
export class DirectJob implements Job {
  readonly pipeline: string;
  readonly #plan: Plan;
  readonly #options: RunnerOptions;
  readonly #sinks: readonly Sink[];
  readonly #events: JobEvents;
  readonly #metrics: MetricsStore;
  readonly #drain = new AbortController();
  readonly #stop = new AbortController();
  readonly #cancel = new AbortController();
  readonly #pausing = new Pausing();
  readonly #samples: ElementSamples | undefined;
  readonly live: LiveDirectJob;
  readonly stop: (() => Promise<JobState>) | undefined;
  readonly #end: Promise<JobState>;
  #failure: Error | undefined;
  #totals: RecordCounts = NO_COUNTS;
  #loop: EpochLoop | undefined;
  #replay: OutboxReplay | undefined;

  /** @param sinks what each promises is the first that the job says */
  constructor(plan: Plan, options: RunnerOptions, sinks: readonly Sink[] = []) {
    const now = () => options.clock.now();
    this.pipeline = options.pipeline;
    this.#plan = plan;
    this.#options = options;
    this.#sinks = sinks;
    const { samplesMax = 0, connection, commitLogDir } = options;
    const isInDatabase = connection !== undefined && stepsWithState(plan).length > 0;
    const keepsState = isInDatabase || commitLogDir !== undefined;
    this.stop = keepsState ? () => this.#stopNow() : undefined;
    this.#samples = samplesMax > 0 ? new ElementSamples(samplesMax) : undefined;
    this.live = new LiveDirectJob(plan, this.#pausing, this.#samples);
    this.#events = new JobEvents(now, options.log);
    this.#metrics = new MetricsStore(now);
    // One turn later, so that whoever starts the job can subscribe to its first event.
    this.#end = Promise.resolve().then(() => this.#run());
  }

  get state(): JobState {
    return this.#events.state;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get totals(): RecordCounts {
    return this.#totals;
  }

  get sources(): readonly SourceProgress[] {
    return this.#loop?.progress() ?? [];
  }

  get sinkDatabases(): readonly SinkDatabaseStatus[] {
    return this.#replay?.statuses ?? [];
  }

  get metrics(): MetricResults {
    return this.#metrics.results();
  }

  messages(): AsyncIterable<JobMessage> {
    return this.#events.messages();
  }

  subscribe(listener: (event: JobEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  drain(): Promise<JobState> {
    if (this.state === "STARTING" || this.state === "RUNNING") this.#events.enter("DRAINING");
    this.#drain.abort();
    return this.#end;
  }

  #stopNow(): Promise<JobState> {
    if (this.state === "STARTING" || this.state === "RUNNING") this.#events.enter("DRAINING");
    this.#stop.abort();
    return this.#end;
  }

  cancel(): Promise<JobState> {
    if (!this.#events.hasEnded) this.#events.enter("CANCELLING");
    this.#cancel.abort(new Error("the job was cancelled"));
    return this.#end;
  }

  waitUntilFinish(): Promise<JobState> {
    return this.#end;
  }

  async #run(): Promise<JobState> {
    for (const sink of this.#sinks) this.#events.log.info(sinkText(sink));
    try {
      await this.#runWhereItCommits();
      this.#events.enter(this.#cancel.signal.aborted ? "CANCELLED" : this.#isDrained ? "DRAINED" : "DONE");
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#events.failed(this.#failure);
    }
    this.#events.close();
    return this.state;
  }

  /** Whether it ended with everything that was there at its end. */
  get #isDrained(): boolean {
    const { once, drainsAtEnd = false } = this.#options;
    return this.#drain.signal.aborted || (once && drainsAtEnd && !this.#stop.signal.aborted);
  }

  async #runWhereItCommits(): Promise<void> {
    const { connection, commitLogDir } = this.#options;
    if (connection !== undefined) return this.#runInSessions();
    try {
      await (commitLogDir === undefined
        ? this.#runPlan(new VolatileCommitter(), undefined, undefined)
        : this.#runInLog(commitLogDir));
    } catch (error) {
      if (!this.#cancel.signal.aborted) throw error;
    }
  }

  async #runInLog(folder: string): Promise<void> {
    const { clock, takeover } = this.#options;
    const log = await CommitLog.open({
      ...{ folder, pipeline: this.pipeline, takeover, clock },
      log: this.#events.log,
      shape: stateShapeOf(this.#plan),
      signal: this.#cancel.signal,
    });
    try {
      await this.#runPlan(new LogCommitter(log, () => clock.now()), undefined, { records: log.restored });
    } finally {
      await log.close();
    }
  }

  async #runInSessions(): Promise<void> {
    const { clock, connection, once, takeover, retryTimeoutMs } = this.#options;
    if (connection === undefined) return;
    const sessions = new PostgresSessions({
      ...{ pipeline: this.pipeline, connection, once, takeover, retryTimeoutMs, clock },
      log: this.#events.log,
      drain: AbortSignal.any([this.#drain.signal, this.#stop.signal]),
      cancel: this.#cancel.signal,
      stepsWithState: stepsWithState(this.#plan),
      stateShape: stateShapeOf(this.#plan),
      localStore: this.#options.localStore,
      runIn: async (run, side, state) => {
        const replay = await this.#openReplay(run, connection);
        const committer = new PostgresCommitter(run, () => clock.monotonicMs(), state?.storage, replay);
        try {
          await replay?.begin();
          await this.#runPlan(committer, side, state, () => sessions.committed());
          await replay?.finish();
        } finally {
          await replay?.close();
        }
      },
      onRetry: (event) => this.#events.tell(event),
    });
    await sessions.run();
  }

  /** Into other databases: what sinks there have logged, and will. */
  async #openReplay(run: Run, connection: ConnectionConfig): Promise<OutboxReplay | undefined> {
    const { clock, once, retryTimeoutMs, sinkDatabases: databases = new Map() } = this.#options;
    this.#replay = await OutboxReplay.open(run, {
      ...{ connection, sinks: this.#sinks, databases, clock, once, retryTimeoutMs },
      ...{ log: this.#events.log, random: Math.random },
      end: AbortSignal.any([this.#drain.signal, this.#stop.signal]),
      cancel: this.#cancel.signal,
      onCounts: (step, counts) => {
        const metrics = this.#metrics.begin();
        for (const [name, value] of Object.entries(counts)) metrics.of(step).counter(name).inc(value);
        this.#metrics.commit(metrics);
      },
      onAway: (status) => this.#events.tell({ type: "sink-database", status }),
    });
    return this.#replay;
  }

  /** From what is committed to the end, or to the first failure. */
  async #runPlan(
    committer: Committer,
    database: SqlQueries | undefined,
    restored: RestoredRecords | undefined,
    onCommit: () => void = () => undefined,
  ): Promise<void> {
    this.#totals = committer.state.totals;
    if (this.state === "STARTING") this.#events.enter("RUNNING");
    try {
      await runPlan(this.#plan, {
        ...{ ...this.#options, log: this.#events.log, metrics: this.#metrics, committer, database, restored },
        samples: this.#samples,
        drain: this.#drain.signal,
        stop: this.#stop.signal,
        pausing: this.#pausing,
        cancel: this.#cancel.signal,
        onStart: (loop) => {
          this.#loop = loop;
          this.live.started(loop);
        },
        onCommit: (report) => {
          onCommit();
          this.#committed(committer, report);
        },
      });
    } finally {
      this.#metrics.abandon();
      this.live.ended();
      this.#loop = undefined;
    }
  }

  #committed({ state }: Committer, report: EpochReport): void {
    this.#totals = state.totals;
    const { readMs, durationMs, ...rest } = report;
    this.#events.tell({
      type: "commit",
      commit: {
        ...rest,
        durationMs: { read: readMs, ...durationMs },
        pipeline: this.pipeline,
        runId: state.runId,
        totals: state.totals,
        watermarkMs: state.watermarkMs,
      },
    });
  }
}
