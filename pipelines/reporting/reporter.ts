/** Tells people and programs what a job does, in one or more ways at once. */
import type { CommitReport, Job, JobEvent, RecordCounts } from "../../runners/job/job.js";
import type { Log } from "../../transforms/primitives/do-fn.js";
import type { JobEnd } from "../stop-signals.js";

/** One way of telling. It must not throw: the job goes on whether or not anybody listens. */
export interface Reporter {
  commit(commit: CommitReport): void;
  /** Anything else that happens to the job. */
  event?(event: Exclude<JobEvent, { type: "commit" }>): void;
  /** The job has ended; nothing follows. */
  end(end: JobEnd, totals: RecordCounts): void | Promise<void>;
}

export interface JobReport {
  /** Tells the end to all, and resolves when all have written it. */
  end(end: JobEnd): Promise<void>;
}

/** Follows the job from now on. Retries go to the log, whatever the way of telling. */
export function reportJob(job: Job, reporters: readonly Reporter[], log: Log): JobReport {
  const unsubscribe = job.subscribe((event) => {
    if (event.type === "retry") {
      const { attempt, delayMs, code } = event;
      log.warn(`${event.reason}; trying again in ${delayMs} ms`, {
        attempt,
        ...(code === null ? {} : { code }),
      });
    }
    for (const reporter of reporters) {
      if (event.type === "commit") reporter.commit(event.commit);
      else reporter.event?.(event);
    }
  });
  return {
    async end(end) {
      unsubscribe();
      for (const reporter of reporters) await reporter.end(end, job.totals);
    },
  };
}
