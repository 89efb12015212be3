/** What the client of a job server does with its run's epochs: closes them, and tells of each. */
import { NO_COUNTS } from "../../bundle/bundle-ledger.js";
import type { RecordCounts, SourceProgress } from "../../job/job.js";
import type { JobEvents } from "../../job/job-events.js";
import type { ClientContext, RunClient } from "../../job/run-client.js";
import type { RunnerOptions } from "../../job/runner.js";
import type { StartedRun } from "../../run/run-start.js";
import type { ClientSession } from "./client-session.js";
import { type ClosedEpoch, closeEpoch } from "./open-epoch.js";

export interface EpochKeeperOptions {
  readonly session: ClientSession;
  readonly client: RunClient;
  readonly isBounded: boolean;
  readonly events: JobEvents;
  /** Fires when the job is cancelled. */
  readonly signal: AbortSignal;
  readonly job: Pick<RunnerOptions, "pipeline" | "clock">;
}

export class EpochKeeper {
  readonly #options: EpochKeeperOptions;
  #totals: RecordCounts = NO_COUNTS;
  #sources: readonly SourceProgress[] = [];
  #startedAtMs = 0;

  constructor(options: EpochKeeperOptions) {
    this.#options = options;
    this.#totals = options.session.run.totals;
  }

  /** As of the last commit. */
  get totals(): RecordCounts {
    return this.#totals;
  }

  get sources(): readonly SourceProgress[] {
    return this.#sources;
  }

  /** An epoch begins: something is about to be read. */
  begin(): void {
    this.#startedAtMs = this.#options.job.clock.now();
  }

  /** Asks the client, again when the database was away meanwhile. */
  ask<T>(question: (client: RunClient, context: ClientContext) => Promise<T>): Promise<T> {
    const { session, client } = this.#options;
    return session.use((run) => question(client, this.#context(run)));
  }

  /** Closes the epoch if anything came of it, and no worker is slow; at the run's end (`isEnd`) whatever came. */
  async close(isEnd: boolean): Promise<void> {
    const { session, client, job } = this.#options;
    const before = session.run.epoch;
    let closed: ClosedEpoch | undefined;
    await session.use(async (run) => {
      // after a lost answer the commit may be found to have happened
      if (run.epoch > before) return;
      closed = await closeEpoch(run, {
        isEnd,
        settle: (transaction, atEnd) => client.settle(transaction, atEnd),
        monotonicMs: () => job.clock.monotonicMs(),
      });
    });
    if (session.run.epoch === before) return;
    await this.ask((one, context) => one.publish(context, isEnd));
    this.#sources = await this.ask((one, context) => one.progress(context));
    this.#totals = session.run.totals;
    if (closed !== undefined) this.#tellCommit(session.run, closed);
  }

  #tellCommit(run: StartedRun, { epoch, counts, waitMs, commitMs }: ClosedEpoch): void {
    const { events, job } = this.#options;
    const startedAtMs = this.#startedAtMs;
    const committedAtMs = job.clock.now();
    this.#startedAtMs = committedAtMs;
    events.tell({
      type: "commit",
      commit: {
        ...{ pipeline: job.pipeline, runId: run.runId, epoch, startedAtMs, committedAtMs, counts },
        durationMs: { wait: waitMs, commit: commitMs },
        totals: this.#totals,
        eventTime: null,
        watermarkMs: null,
        sources: this.#sources,
      },
    });
  }

  #context({ runId, session }: StartedRun): ClientContext {
    const { events, signal, isBounded, job } = this.#options;
    const { pipeline, clock } = job;
    return { pipeline, runId, session, once: isBounded, clock, log: events.log, signal };
  }
}
