/** A worker that somebody has started: a thread or a process. */

export interface RunningWorker {
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
