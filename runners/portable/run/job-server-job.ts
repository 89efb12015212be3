/** A pipeline with a database running on a job server: the server runs the graph, this client keeps the epochs. */
import { JobState_Enum, type Pipeline, type runnerApi } from "../../../transforms/primitives/beam.js";
import { NO_COUNTS } from "../../bundle/bundle-ledger.js";
import type { DescribedStep } from "../../graph/graph-differences.js";
import { type Sink, sinkText } from "../../graph/sinks.js";
import type { Job, JobEvent, JobState, RecordCounts, SourceProgress } from "../../job/job.js";
import { JobEvents } from "../../job/job-events.js";
import type { JobMessage } from "../../job/messages.js";
import { type MetricResults, NO_METRICS } from "../../job/metrics.js";
import type { RunnerOptions } from "../../job/runner.js";
import type { PortablePipelineResult } from "../portable-result.js";
import { ClientSession } from "./client-session.js";
import { EpochKeeper } from "./epoch-keeper.js";
import { judgeRound } from "./round-verdict.js";
import { runRounds } from "./rounds.js";
import { checkWhereabouts, type SavepointNote, savepointUrl, writeSavepointNote } from "./savepoint-note.js";

/** What the client needs of a job that a server has taken. */
export type SubmittedRun = Pick<
  PortablePipelineResult,
  "jobId" | "failure" | "waitUntilFinish" | "cancel" | "metrics" | "savepoint"
>;

/** Submits the graph as part of a session's run; resolves once the server has taken it. */
export type Submit = (
  pipeline: Pipeline | runnerApi.Pipeline,
  session: Pick<ClientSession, "run" | "earlierRunId">,
  events: JobEvents,
) => Promise<SubmittedRun>;

export interface JobServer {
  readonly submit: Submit;
  /** Lets go of the server, at the job's end and when a round has failed; what is submitted next finds it anew. */
  release(): Promise<void>;
}

export interface JobServerJobOptions extends RunnerOptions {
  /** A round of what is new, to its end, so often; without it one job for all of the run. */
  readonly intervalMs?: number | undefined;
  /** Where a stream that is drained leaves a savepoint of its graph. */
  readonly savepoints?: { readonly folder: string; readonly graph: readonly DescribedStep[] } | undefined;
  /** Of the savepoint from which its job goes on. */
  readonly after?: SavepointNote | undefined;
  /** What each promises is the first that the job says. */
  readonly sinks?: readonly Sink[];
}

/** How long an epoch is open, at least. */
const EPOCH_MS = 1_000;

/** What was handed out just before the sources heard of the drain is recorded, and settled, within so many epochs. */
const SETTLED_LOOKS = 3;

/** A job on the server reads what was there at its start if `once` or rounds ask for it; else it has no end. */
export class JobServerJob implements Job {
  readonly pipeline: string;
  readonly #graph: Pipeline | runnerApi.Pipeline;
  readonly #options: JobServerJobOptions;
  readonly #server: JobServer;
  readonly #events: JobEvents;
  readonly #cancel = new AbortController();
  readonly #drain = new AbortController();
  readonly #end: Promise<JobState>;
  #failure: Error | undefined;
  #session: ClientSession | undefined;
  #epochs: EpochKeeper | undefined;
  #result: SubmittedRun | undefined;
  /** Whether the run is that of a job, which may still have workers. */
  #hasSubmitted = false;
  #metrics: MetricResults = NO_METRICS;
  /** Since the sources were asked to drain: how often in a row nothing was on its way. */
  #settledLooks: number | undefined;
  #isDrained = false;

  constructor(graph: Pipeline | runnerApi.Pipeline, options: JobServerJobOptions, server: JobServer) {
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
    return this.#epochs?.totals ?? NO_COUNTS;
  }

  get sources(): readonly SourceProgress[] {
    return this.#epochs?.sources ?? [];
  }

  /** As the job server tells them at a job's end; of rounds, those of the last one. */
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
   * A stream's sources hand out nothing more; once all that they have handed out is settled, the job is ended. Of
   * rounds, the one under way comes to its end. A bounded job is cancelled: its positions move at its end alone, and
   * what it has written by then the next run finds.
   */
  drain(): Promise<JobState> {
    if (this.#options.once) return this.cancel();
    if (this.state === "STARTING" || this.state === "RUNNING") this.#events.enter("DRAINING");
    this.#drain.abort();
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
    for (const sink of this.#options.sinks ?? []) this.#events.log.info(sinkText(sink));
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
    const { connection, takeover, clock, client, once, retryTimeoutMs, intervalMs } = this.#options;
    const { pipeline } = this;
    if (connection === undefined || client === undefined) {
      throw new Error(
        `pipeline "${pipeline}" cannot run on a job server: it needs a database and a client of its own`,
      );
    }
    const { signal } = this.#cancel;
    const session = await ClientSession.start({
      ...{ pipeline, connection, takeover, clock, log: this.#events.log, signal },
      retryTimeoutMs: once ? retryTimeoutMs : Number.POSITIVE_INFINITY,
      onRetry: (event) => this.#events.tell(event),
    });
    this.#session = session;
    const { after } = this.#options;
    if (after !== undefined) await session.use((run) => checkWhereabouts(after, run));
    const isBounded = once || intervalMs !== undefined;
    const job = this.#options;
    const epochs = new EpochKeeper({ session, client, isBounded, events: this.#events, signal, job });
    this.#epochs = epochs;
    if (intervalMs !== undefined) return this.#runRounds(session, epochs, intervalMs);
    const state = await this.#submitNew(session, epochs);
    if (state === undefined) this.#events.log.info(`${pipeline}: there is nothing new to read`);
    return state ?? "DONE";
  }

  /** Each job is a run of its own, so that nothing of a job before it can write any more. */
  async #runRounds(session: ClientSession, epochs: EpochKeeper, intervalMs: number): Promise<JobState> {
    // by somebody at the server, who wants no more of it
    const cancelledThere = new AbortController();
    await runRounds({
      ...{ intervalMs, clock: this.#options.clock },
      stop: AbortSignal.any([this.#drain.signal, this.#cancel.signal, cancelledThere.signal]),
      round: async () => {
        if (this.#hasSubmitted) await session.renew();
        this.#hasSubmitted = false;
        if ((await this.#submitNew(session, epochs)) === "CANCELLED") cancelledThere.abort();
      },
      judge: (error) => (this.#cancel.signal.aborted ? "end" : judgeRound(error, this.#result !== undefined)),
      onRetry: async (error, attempt, delayMs) => {
        this.#result = undefined;
        const reason = `a round of ${this.pipeline} failed: ${error instanceof Error ? error.message : error}`;
        this.#events.tell({ type: "retry", reason, code: null, attempt, delayMs });
        await this.#server.release();
      },
    });
    this.#cancel.signal.throwIfAborted();
    return cancelledThere.signal.aborted ? "CANCELLED" : "DRAINED";
  }

  /** Reads what is new in a job, to its end; undefined: there is nothing. */
  async #submitNew(session: ClientSession, epochs: EpochKeeper): Promise<JobState | undefined> {
    const isWork = await epochs.ask((client, context) => client.prepare(context));
    this.#cancel.signal.throwIfAborted();
    if (isWork) {
      epochs.begin();
      this.#hasSubmitted = true;
      this.#result = await this.#server.submit(this.#graph, session, this.#events);
    }
    if (this.state === "STARTING") this.#events.enter("RUNNING");
    if (this.#result === undefined) return undefined;
    const state = await this.#follow(this.#result, epochs);
    this.#result = undefined;
    return state;
  }

  /** Closes an epoch now and then, and the last one at the job's end. */
  async #follow(result: SubmittedRun, epochs: EpochKeeper): Promise<JobState> {
    if (this.#cancel.signal.aborted) await result.cancel();
    const ended = result.waitUntilFinish();
    ended.catch(() => undefined); // awaited below
    try {
      while (!(await this.#endsWithinEpoch(ended))) {
        await epochs.close(false);
        if (this.state === "DRAINING" && this.#options.intervalMs === undefined) {
          await this.#drainOn(result, epochs);
        }
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
    await epochs.close(true);
    return state === JobState_Enum.DONE ? "DONE" : "DRAINED";
  }

  /** False: an epoch has passed, and the job goes on. */
  async #endsWithinEpoch(ended: Promise<unknown>): Promise<boolean> {
    const pause = new AbortController();
    const isOver = await Promise.race([
      ended.then(() => true),
      this.#options.clock.sleep(EPOCH_MS, pause.signal).then(() => false),
    ]);
    pause.abort();
    return isOver;
  }

  /** Flink's own drain fires the timers of a source that never ends again and again, and does not come to its end. */
  async #drainOn(result: SubmittedRun, epochs: EpochKeeper): Promise<void> {
    if (this.#settledLooks === undefined) {
      await epochs.ask((client, context) => client.drain(context));
      this.#settledLooks = 0;
      return;
    }
    const isSettled = await epochs.ask((client, context) => client.isSettled(context));
    this.#settledLooks = isSettled ? this.#settledLooks + 1 : 0;
    if (this.#settledLooks < SETTLED_LOOKS) return;
    await this.#leaveSavepoint(result);
    this.#isDrained = true;
    await result.cancel();
  }

  /** All that was handed out is settled: the savepoint and the positions in the database say the same. */
  async #leaveSavepoint(result: SubmittedRun): Promise<void> {
    const { savepoints } = this.#options;
    if (savepoints === undefined) return;
    const url = await result.savepoint(savepointUrl(savepoints.folder));
    const folder = await this.#session!.use((run) => writeSavepointNote(url, run, savepoints.graph));
    this.#events.log.info(`savepoint of ${this.pipeline}: go on from it with --from-savepoint=${folder}`);
  }
}
