/** What only a runner in this process can tell of its job, and do with it: counts at every step, and a pause. */

/** What a step has done since the job began. */
export interface StepCounts {
  readonly elementsIn: number;
  readonly elementsOut: number;
  /** Time in which it worked, without those behind it: estimated from a sample of its calls; null where it is not. */
  readonly busyMs: number | null;
  /** Time in which it waited for those behind it; null where it is not measured. */
  readonly blockedMs: number | null;
  /** Of what it makes; null before the first event time, and where it is not known. */
  readonly watermarkMs: number | null;
}

export interface LiveJob {
  /** By path. */
  steps(): ReadonlyMap<string, StepCounts>;
  readonly isPaused: boolean;
  /** Sources hand out nothing more; what was read is committed. The job stays RUNNING. */
  pause(): void;
  resume(): void;
}
