/** A worker that somebody has started: a thread or a process. */

export interface RunningWorker {
  /** The job that it is of, by the name that its client gave it; undefined until its runner has told it. */
  readonly job: string | undefined;
  /** Resolves, and never rejects, when nothing of it runs any more. */
  readonly whenEnded: Promise<WorkerEnd>;
  /** Asks it to end, and ends it by force after a grace time. Resolves when it has ended. */
  stop(): Promise<WorkerEnd>;
}

export interface WorkerEnd {
  /** 0 when its runner had no more work for it, or when it was stopped. */
  readonly exitCode: number;
  /** Why it ended otherwise, in one line. */
  readonly problem: string | undefined;
}

/** How long a worker may take to end after it was asked to. */
export const STOP_GRACE_MS = 5_000;
