/** What SIGINT and SIGTERM do: the first one drains, a later one stops at once. */
import type { Job, JobState } from "../runners/job/job.js";
import type { Clock, Log } from "../transforms/primitives/do-fn.js";
import { EXIT_FAILED } from "./usage-error.js";

export type StopSignal = "SIGINT" | "SIGTERM";

/** What sends signals: `process`, or an emitter in a test. */
export interface SignalEmitter {
  on(signal: StopSignal, listener: () => void): unknown;
}

export interface StopSignals {
  /** Fires at the first signal; its reason is the signal's name. */
  readonly requested: AbortSignal;
  /**
   * The command has its answer: from now on signals change nothing. They are still caught, or one that comes
   * while the process ends would kill it, and what is done would look failed.
   */
  end(): void;
}

export interface StopSignalsOptions {
  readonly emitter: SignalEmitter;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Told of a second signal: must end the process at once with this code (128 + signal). */
  readonly stopAtOnce: (signal: StopSignal, exitCode: number) => void;
}

/** Two signals closer than this are one: npm passes Ctrl-C on to a child that the terminal told already. */
const SAME_SIGNAL_MS = 1_000;

const EXIT_CODES: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/** Listens for as long as the emitter lives. */
export function watchStopSignals({ emitter, clock, stopAtOnce }: StopSignalsOptions): StopSignals {
  const requested = new AbortController();
  let firstAtMs: number | undefined;
  let hasEnded = false;
  for (const signal of Object.keys(EXIT_CODES) as StopSignal[]) {
    emitter.on(signal, () => {
      if (hasEnded) return;
      if (firstAtMs === undefined) {
        firstAtMs = clock.monotonicMs();
        requested.abort(signal);
      } else if (clock.monotonicMs() - firstAtMs > SAME_SIGNAL_MS) {
        stopAtOnce(signal, EXIT_CODES[signal]);
      }
    });
  }
  return {
    requested: requested.signal,
    end: () => {
      hasEnded = true;
    },
  };
}

/** How a job ended, for the process that ran it. */
export interface JobEnd {
  readonly state: JobState;
  readonly exitCode: number;
  /** What went wrong, in one sentence; undefined when nothing did. */
  readonly problem: string | undefined;
}

export interface FinishJobOptions {
  readonly requested: AbortSignal;
  readonly drainTimeoutMs: number;
  readonly clock: Pick<Clock, "sleep">;
  readonly log: Log;
}

/** How long a cancelled job may take to say so, before we leave without it. */
const CANCEL_TIMEOUT_MS = 5_000;

/**
 * Waits for the job's end. When a stop is requested it is drained, or, where it keeps what a drain would bring to its
 * end, stopped; cancelled when that takes too long.
 */
export async function finishJob(job: Job, options: FinishJobOptions): Promise<JobEnd> {
  const { requested, drainTimeoutMs, clock, log } = options;
  const ended = job.waitUntilFinish();
  const first = await Promise.race([ended, whenRequested(requested)]);
  if (first !== STOP_REQUESTED) return describeEnd(job, first);
  log.info(
    `${requested.reason}: draining, for ${formatSeconds(drainTimeoutMs)} at most; again to stop at once`,
  );
  void (job.stop === undefined ? job.drain() : job.stop());
  const drained = await withTimeout(ended, drainTimeoutMs, clock);
  if (drained !== undefined) return describeEnd(job, drained);
  void job.cancel();
  await withTimeout(ended, CANCEL_TIMEOUT_MS, clock);
  const problem = `draining took longer than ${formatSeconds(drainTimeoutMs)} (--drain-timeout): cancelled; the next run goes on from the last commit`;
  return { state: job.state, exitCode: EXIT_FAILED, problem };
}

const STOP_REQUESTED = Symbol("stop requested");

function whenRequested(signal: AbortSignal): Promise<typeof STOP_REQUESTED> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(STOP_REQUESTED);
    else signal.addEventListener("abort", () => resolve(STOP_REQUESTED), { once: true });
  });
}

async function withTimeout(ended: Promise<JobState>, ms: number, clock: Pick<Clock, "sleep">) {
  const timer = new AbortController();
  const timedOut = clock.sleep(ms, timer.signal).then(() => undefined);
  const state = await Promise.race([ended, timedOut]);
  timer.abort();
  return state;
}

function describeEnd(job: Job, state: JobState): JobEnd {
  if (state === "DONE" || state === "DRAINED") return { state, exitCode: 0, problem: undefined };
  const problem = job.failure?.message ?? `pipeline "${job.pipeline}" ended ${state}`;
  return { state, exitCode: EXIT_FAILED, problem };
}

function formatSeconds(ms: number): string {
  return `${ms / 1_000} s`;
}
