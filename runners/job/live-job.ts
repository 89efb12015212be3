/** What only a runner in this process can tell of its job, and do with it: counts at every step, and a pause. */

/** What a step has done since the job began. */
export interface StepCounts {
  readonly elementsIn: number;
  readonly elementsOut: number;
  /** Time in which it worked, without those behind it: estimated from a sample of its calls; null where it is not. */
  readonly busyMs: number | null;
  /** Time in which it waited for those behind it; null where it is not measured. */
  readonly blockedMs: number | null;
  /** 0 to 1 of the elements that an asynchronous step works on at once; null for others. */
  readonly queueFill: number | null;
  /** Elements that wait before it; null where it is called by the step before, or has none. */
  readonly waiting: number | null;
  /** Keys with state, once for each window; null where it keeps none. */
  readonly stateKeys: number | null;
  /** Timers that are set; null where it has none. */
  readonly timers: number | null;
  /** Of what it makes; null before the first event time, and where it is not known. */
  readonly watermarkMs: number | null;
}

/** An element that a step has made. */
export interface StepSample {
  /** The tag of the output. */
  readonly output: string;
  readonly value: unknown;
  readonly timestampMs: number;
}

export interface LiveJob {
  /** By path. */
  steps(): ReadonlyMap<string, StepCounts>;
  /** Whether elements are kept for somebody who looks. */
  readonly isSampling: boolean;
  /** The last elements that a step has made, the oldest first. */
  samples(step: string): readonly StepSample[];
  readonly isPaused: boolean;
  /** Sources hand out nothing more; what was read is committed. The job stays RUNNING. */
  pause(): void;
  resume(): void;
}
