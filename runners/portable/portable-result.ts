/** A job on a job server as the Beam SDK's PipelineResult: followed until its end, which is always told. */
import { setTimeout as sleep } from "node:timers/promises";
import { JobState_Enum, type MonitoringInfo, PipelineResult } from "../../transforms/primitives/beam.js";
import { ByteReader } from "../../transforms/primitives/coders/byte-reader.js";
import type { LogLevel } from "../job/messages.js";
import {
  type DistributionValue,
  filterMetrics,
  type MetricFilter,
  type MetricResults,
} from "../job/metrics.js";
import { metricResults, type ToldMetrics } from "../job/monitoring-infos.js";
import type { FlinkRest } from "./flink-rest.js";
import { jobFailure } from "./job-failure.js";
import { CANCEL_MS_MAX, isTerminal, type JobServerError, type JobService } from "./job-service.js";

/** How long the last messages may take to come behind the job's end. */
const LAST_MESSAGES_MS = 2_000;

/** How long a job that drains may take until it has ended. */
const DRAIN_MS_MAX = 300_000;

export interface SubmittedJob {
  readonly service: JobService;
  readonly jobId: string;
  readonly jobName: string;
  readonly flink: FlinkRest | undefined;
  readonly onLine: (line: JobLine) => void;
  /** Called once it has ended, or nobody knows any more how it will. */
  readonly release: (state: JobState_Enum) => Promise<void>;
}

export interface JobLine {
  readonly level: LogLevel;
  readonly text: string;
}

export class PortablePipelineResult extends PipelineResult {
  readonly jobId: string;
  readonly #service: JobService;
  readonly #jobName: string;
  readonly #flink: FlinkRest | undefined;
  readonly #onLine: (line: JobLine) => void;
  readonly #errors: string[] = [];
  readonly #whenEnded: Promise<JobState_Enum>;
  #state = JobState_Enum.STARTING;
  #failure: Error | undefined;
  /** As of the job's end: the connection is not kept for them. */
  #lastMetrics: ToldMetrics | undefined;

  constructor({ service, jobId, jobName, flink, onLine, release }: SubmittedJob) {
    super();
    this.jobId = jobId;
    this.#service = service;
    this.#jobName = jobName;
    this.#flink = flink;
    this.#onLine = onLine;
    this.#whenEnded = this.#follow().finally(() => release(this.#state));
    this.#whenEnded.catch(() => undefined); // whoever waits is told
  }

  get state(): JobState_Enum {
    return this.#state;
  }

  /** What made the job FAILED: the user's own error where one did. Or why nobody knows how it ended. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Resolves with the state at the end, or with the state after `durationMs` if it has not ended then.
   * @throws JobServerError when the server is gone, or does not know the job any more
   */
  override async waitUntilFinish(durationMs?: number): Promise<JobState_Enum> {
    if (durationMs === undefined) return this.#whenEnded;
    const waiting = new AbortController();
    const late = sleep(durationMs, undefined, { signal: waiting.signal }).catch(() => undefined);
    try {
      return (await Promise.race([this.#whenEnded, late])) ?? this.#state;
    } finally {
      waiting.abort();
    }
  }

  /** Resolves with the state at the end, which the server may reach long after it was asked. */
  async cancel(): Promise<JobState_Enum> {
    await this.#cancelOnFlink();
    await this.#service.cancel(this.jobId);
    const state = await this.waitUntilFinish(CANCEL_MS_MAX);
    if (isTerminal(state)) return state;
    throw new Error(
      `job "${this.jobId}" is still ${JobState_Enum[state]} ${CANCEL_MS_MAX / 1000} s after it was cancelled`,
    );
  }

  /**
   * Ends the job in order, as Flink does it: sources stop, the watermark goes to its end, and the rest lies in a
   * savepoint. Resolves with the state at the end.
   * @throws FlinkRestError; an error for a server other than Flink, whose jobs can only be cancelled
   */
  async drain(options: { readonly savepointDir?: string } = {}): Promise<JobState_Enum> {
    const flink = this.#flinkFor("drain it");
    const trigger = await flink.drain(this.#jobName, options.savepointDir);
    const refused = flink.whenWritten(trigger).then(
      () => this.#whenEnded,
      (error: unknown) => error as Error, // the API of a job that has ended may be gone
    );
    const first = await Promise.race([this.#whenEnded, refused]);
    if (first instanceof Error) throw first;
    const state = await this.waitUntilFinish(DRAIN_MS_MAX);
    if (isTerminal(state)) return state;
    throw new Error(
      `job "${this.jobId}" is still ${JobState_Enum[state]} ${DRAIN_MS_MAX / 1000} s after it was drained`,
    );
  }

  /**
   * Writes a savepoint and lets the job go on; resolves with where it lies. A job with the same graph goes on from it
   * with the pipeline option `savepoint_path`.
   * @throws FlinkRestError; an error for a server other than Flink
   */
  async savepoint(directory: string): Promise<string> {
    const flink = this.#flinkFor("write a savepoint of it");
    return flink.whenWritten(await flink.savepoint(this.#jobName, directory));
  }

  #flinkFor(what: string): FlinkRest {
    if (this.#flink !== undefined) return this.#flink;
    throw new Error(
      `job "${this.jobId}": Beam's job service cannot ${what}; Flink's REST API can (option flinkRest), no other server`,
    );
  }

  /**
   * Committed values where the server has any, else attempted ones: Spark knows only these, and those of
   * Prism end with the last progress report.
   */
  override async rawMetrics(): Promise<MonitoringInfo[]> {
    const { committed, attempted } = await this.#metrics();
    return [...(committed.length > 0 ? committed : attempted)];
  }

  /**
   * The metrics of DoFns by step, as of the job's end or as of now. What is committed is undefined on Spark, which does
   * not tell it; what was attempted is on Prism as old as the last progress report.
   */
  async metrics(filter: MetricFilter = {}): Promise<MetricResults> {
    return filterMetrics(metricResults(await this.#metrics()), filter);
  }

  async #metrics(): Promise<ToldMetrics> {
    return this.#lastMetrics ?? this.#askMetrics();
  }

  /** Beam's job server for Flink calls a job CANCELLED, and leaves it running on its cluster. */
  async #cancelOnFlink(): Promise<void> {
    if (this.#flink === undefined || isTerminal(this.#state)) return;
    try {
      await this.#flink.cancel(this.#jobName);
    } catch (error) {
      this.#onLine({
        level: "warn",
        text: `the job may go on running on Flink, which Beam's job server does not tell: ${(error as Error).message}`,
      });
    }
  }

  async #askMetrics(): Promise<ToldMetrics> {
    const { metrics } = await this.#service.metrics(this.jobId);
    const { committed = [], attempted = [] } = metrics ?? {};
    return { committed, attempted };
  }

  /** Counters by name, summed over the steps that use it. */
  override async counters(): Promise<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const { urn, labels, payload } of await this.rawMetrics()) {
      if (urn !== "beam:metric:user:sum_int64:v1") continue;
      const name = labels["NAME"]!;
      sums[name] = (sums[name] ?? 0) + Number(new ByteReader(payload).varint());
    }
    return sums;
  }

  /** Distributions by name, over the steps that use it. */
  override async distributions(): Promise<Record<string, number> & Record<string, DistributionValue>> {
    const all: Record<string, DistributionValue> = {};
    for (const { urn, labels, payload } of await this.rawMetrics()) {
      if (urn !== "beam:metric:user:distribution_int64:v1") continue;
      const input = new ByteReader(payload);
      const [count, sum, min, max] = [input.varint(), input.varint(), input.varint(), input.varint()].map(
        Number,
      );
      const known = all[labels["NAME"]!];
      all[labels["NAME"]!] = {
        count: count! + (known?.count ?? 0),
        sum: sum! + (known?.sum ?? 0),
        min: Math.min(min!, known?.min ?? Number.POSITIVE_INFINITY),
        max: Math.max(max!, known?.max ?? Number.NEGATIVE_INFINITY),
      };
    }
    return all as Record<string, number> & Record<string, DistributionValue>;
  }

  async #follow(): Promise<JobState_Enum> {
    const messages = this.#followMessages();
    try {
      for await (const { state } of this.#service.states(this.jobId)) {
        this.#state = state;
        if (isTerminal(state)) break;
      }
      // A stream may end before the job: then the server is asked, and says so or not.
      while (!isTerminal(this.#state)) {
        await sleep(500);
        this.#state = await this.#service.state(this.jobId);
      }
    } catch (error) {
      this.#failure = error as JobServerError;
      throw error;
    }
    await Promise.race([messages, sleep(LAST_MESSAGES_MS, undefined, { ref: false })]);
    this.#lastMetrics = await this.#askMetrics().catch(() => undefined); // asked again when somebody wants them
    if (this.#state === JobState_Enum.FAILED) this.#failure = jobFailure(this.jobId, this.#errors);
    return this.#state;
  }

  /** What is lost of them costs no more than words: the job's end is known by its state. */
  async #followMessages(): Promise<void> {
    try {
      for await (const { response } of this.#service.messages(this.jobId)) {
        if (response.oneofKind !== "messageResponse") continue;
        const { importance, messageText: text } = response.messageResponse;
        const level = LEVELS[importance] ?? "info";
        if (level === "error") this.#errors.push(text);
        this.#onLine({ level, text });
      }
    } catch (error) {
      this.#onLine({ level: "warn", text: (error as Error).message });
    }
  }
}

/** By Beam's importance: unspecified, debug, detailed, basic, warning, error. */
const LEVELS: readonly LogLevel[] = ["info", "debug", "debug", "info", "warn", "error"];
