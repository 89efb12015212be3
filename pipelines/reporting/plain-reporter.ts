/** Progress as plain lines, for whatever is no terminal: the first commit, then one line in five seconds. */
import type { Job } from "../../runners/job/job.js";
import type { Clock } from "../../transforms/primitives/do-fn.js";
import { formatProgress, formatTotals } from "./progress-line.js";
import { ProgressMeter } from "./progress-meter.js";
import type { Reporter } from "./reporter.js";

const LINE_INTERVAL_MS = 5_000;

/** `write` takes a line without its newline. */
export function createPlainReporter(job: Job, clock: Clock, write: (line: string) => void): Reporter {
  const meter = new ProgressMeter(clock.now(), job.totals, job.sources);
  let lastLineMs = Number.NEGATIVE_INFINITY;
  return {
    commit(commit) {
      meter.add(commit);
      const nowMs = clock.monotonicMs();
      if (nowMs - lastLineMs < LINE_INTERVAL_MS) return;
      lastLineMs = nowMs;
      write(formatProgress(job.pipeline, meter.at(clock.now())));
    },
    end(end, totals) {
      write(`${job.pipeline}  ${end.state}  ${formatTotals(totals)}`);
    },
  };
}
