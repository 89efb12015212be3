/** A pipeline with a database running on a job server: the server runs the graph, this client keeps the epochs. */
import { JobState_Enum, type Pipeline, type runnerApi } from "../../../transforms/primitives/beam.js";
import { NO_COUNTS } from "../../bundle/bundle-ledger.js";
import type { Job, JobEvent, JobState, RecordCounts, SourceProgress } from "../../job/job.js";
import { JobEvents } from "../../job/job-events.js";
import type { JobMessage } from "../../job/messages.js";
import { type MetricResults, NO_METRICS } from "../../job/metrics.js";
import type { ClientContext, RunClient } from "../../job/run-client.js";
import type { RunnerOptions } from "../../job/runner.js";
import type { StartedRun } from "../../run/run-start.js";
import type { PortablePipelineResult } from "../portable-result.js";
import { ClientSession } from "./client-session.js";
import { type ClosedEpoch, closeEpoch } from "./open-epoch.js";

/** Submits the graph as part of a run; resolves once the server has taken it. */
export type Submit = (
  pipeline: Pipeline | runnerApi.Pipeline,
  run: StartedRun,
  events: JobEvents,
) => Promise<PortablePipelineResult>;

export interface JobServer {
  readonly submit: Submit;
  /** Lets go of the server; called at the job's end. */
  release(): Promise<void>;
}

/** How long an epoch is open, at least. */
const EPOCH_MS = 1_000;

/** What was handed out just before the sources heard of the drain is recorded, and settled, within so many epochs. */
const SETTLED_LOOKS = 3;

/** A bounded run is one that `options.once` asks for. */
export class JobServerJob implements Job {
  readonly pipeline: string;
  readonly #graph: Pipeline | runnerApi.Pipeline;
  readonly #options: RunnerOptions;
  readonly #server: JobServer;
  readonly #events: JobEvents;
  readonly #cancel = new AbortController();
  readonly #end: Promise<JobState>;
  #failure: Error | undefined;
  #session: ClientSession | undefined;
  #result: PortablePipelineResult | undefined;
  #totals: RecordCounts = NO_COUNTS;
  #sources: readonly SourceProgress[] = [];
  #metrics: MetricResults = NO_METRICS;
  #epochStartedAtMs = 0;
  /** Since the sources were asked to drain: how often in a row nothing was on its way. */
  #settledLooks: number | undefined;
  #isDrained = false;

  constructor(graph: Pipeline | runnerApi.Pipeline, options: RunnerOptions, server: JobServer) {
    this.pipeline = options.pipeline;
    this.#graph = graph;
    this.#options = options;
    this.#server = server;
    this.#events = new JobEvents(() => options.clock.now(), options.log);
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
    return this.#sources;
  }

  /** As the job server tells them at the job's end. */
  get metrics(): MetricResults {
    return this.#metrics;
  }

  messages(): AsyncIterable<JobMessage> {
    return this.#events.messages();
  }

  subscribe(listener: (event: JobEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  /**
   * A stream's sources hand out nothing more; once all that they have handed out is settled, the job is ended. A bounded
   * job is cancelled: its positions move at its end alone, and what it has written by then the next run finds.
   */
  drain(): Promise<JobState> {
    if (this.#options.once) return this.cancel();
    if (this.state === "STARTING" || this.state === "RUNNING") this.#events.enter("DRAINING");
    return this.#end;
  }

  async cancel(): Promise<JobState> {
    if (!this.#events.hasEnded) this.#events.enter("CANCELLING");
    this.#cancel.abort(new Error("the job was cancelled"));
    try {
      await this.#result?.cancel();
    } catch (error) {
      // what it has come to is told by its end
      this.#events.log.warn(`it could not be cancelled: ${(error as Error).message}`);
    }
    return this.#end;
  }

  waitUntilFinish(): Promise<JobState> {
    return this.#end;
  }

  async #run(): Promise<JobState> {
    try {
      const state = await this.#runInSession();
      await this.#server.release();
      this.#events.enter(state);
    } catch (error) {
      await this.#server.release();
      if (this.#cancel.signal.aborted) this.#events.enter("CANCELLED");
      else {
        this.#failure = error instanceof Error ? error : new Error(String(error));
        this.#events.failed(this.#failure);
      }
    } finally {
      await this.#session?.close();
    }
    this.#events.close();
    return this.state;
  }

  async #runInSession(): Promise<JobState> {
    const { pipeline, connection, takeover, retryTimeoutMs, clock, client } = this.#options;
    if (connection === undefined || client === undefined) {
      throw new Error(
        `pipeline "${pipeline}" cannot run on a job server: it needs a database and a client of its own`,
      );
    }
    const session = await ClientSession.start({
      ...{ pipeline, connection, takeover, retryTimeoutMs, clock, log: this.#events.log },
      signal: this.#cancel.signal,
      onRetry: (event) => this.#events.tell(event),
    });
    this.#session = session;
    this.#totals = session.run.totals;
    const isWork = await session.use((run) => client.prepare(this.#context(run)));
    this.#cancel.signal.throwIfAborted();
    if (!isWork) {
      this.#events.enter("RUNNING");
      this.#events.log.info(`${pipeline}: there is nothing new to read`);
      return "DONE";
    }
    this.#epochStartedAtMs = clock.now();
    this.#result = await this.#server.submit(this.#graph, session.run, this.#events);
    this.#events.enter("RUNNING");
    return this.#follow(this.#result, session, client);
  }

  /** Closes an epoch now and then, and the last one at the job's end. */
  async #follow(
    result: PortablePipelineResult,
    session: ClientSession,
    client: RunClient,
  ): Promise<JobState> {
    if (this.#cancel.signal.aborted) await result.cancel();
    const ended = result.waitUntilFinish();
    ended.catch(() => undefined); // awaited below
    try {
      for (let isOver = false; !isOver; ) {
        const pause = new AbortController();
        isOver = await Promise.race([
          ended.then(() => true),
          this.#options.clock.sleep(EPOCH_MS, pause.signal).then(() => false),
        ]);
        pause.abort();
        if (isOver) break;
        await this.#closeEpoch(session, client, false);
        if (this.state === "DRAINING") await this.#drainOn(result, session, client);
      }
    } catch (error) {
      // nobody would end what it has begun
      await result.cancel().catch((cancelError: Error) => this.#events.log.warn(cancelError.message));
      throw error;
    }
    const state = await ended;
    this.#metrics = await result.metrics().catch((error: Error) => {
      this.#events.log.warn(`the job server gave no metrics: ${error.message}`);
      return NO_METRICS;
    });
    if (state === JobState_Enum.CANCELLED) return this.#isDrained ? "DRAINED" : "CANCELLED";
    if (state !== JobState_Enum.DONE && state !== JobState_Enum.DRAINED) {
      throw result.failure ?? new Error(`job "${result.jobId}" ended ${JobState_Enum[state]}`);
    }
    await this.#closeEpoch(session, client, true);
    return state === JobState_Enum.DONE ? "DONE" : "DRAINED";
  }

  /** Flink's own drain fires the timers of a source that never ends again and again, and does not come to its end. */
  async #drainOn(result: PortablePipelineResult, session: ClientSession, client: RunClient): Promise<void> {
    if (this.#settledLooks === undefined) {
      await session.use((run) => client.drain(this.#context(run)));
      this.#settledLooks = 0;
      return;
    }
    const isSettled = await session.use((run) => client.isSettled(this.#context(run)));
    this.#settledLooks = isSettled ? this.#settledLooks + 1 : 0;
    if (this.#settledLooks < SETTLED_LOOKS) return;
    this.#isDrained = true;
    await result.cancel();
  }

  async #closeEpoch(session: ClientSession, client: RunClient, isEnd: boolean): Promise<void> {
    const { clock } = this.#options;
    const before = session.run.epoch;
    let closed: ClosedEpoch | undefined;
    await session.use(async (run) => {
      // after a lost answer the commit may be found to have happened
      if (run.epoch > before) return;
      closed = await closeEpoch(run, {
        isEnd,
        settle: (transaction, atEnd) => client.settle(transaction, atEnd),
        monotonicMs: () => clock.monotonicMs(),
      });
    });
    if (session.run.epoch === before) return;
    await session.use((run) => client.publish(this.#context(run), isEnd));
    this.#sources = await session.use((run) => client.progress(this.#context(run)));
    this.#totals = session.run.totals;
    if (closed !== undefined) this.#tellCommit(session.run, closed);
  }

  #tellCommit(run: StartedRun, { epoch, counts, waitMs, commitMs }: ClosedEpoch): void {
    const startedAtMs = this.#epochStartedAtMs;
    const committedAtMs = this.#options.clock.now();
    this.#epochStartedAtMs = committedAtMs;
    this.#events.tell({
      type: "commit",
      commit: {
        ...{ pipeline: this.pipeline, runId: run.runId, epoch, startedAtMs, committedAtMs, counts },
        durationMs: { wait: waitMs, commit: commitMs },
        totals: this.#totals,
        eventTime: null,
        watermarkMs: null,
        sources: this.#sources,
      },
    });
  }

  #context(run: StartedRun): ClientContext {
    const { pipeline, once, clock } = this.#options;
    const { runId, session } = run;
    return { pipeline, runId, session, once, clock, log: this.#events.log, signal: this.#cancel.signal };
  }
}
