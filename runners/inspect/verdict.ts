/** One sentence on how a job is and, if it is not well, what to do; pure. */
import type { JobOverview, Verdict } from "../job/job-view.js";

export type Judged = Omit<JobOverview, "verdict">;

/** A backlog that takes longer than this to read is worth a word. */
const CATCH_UP_MS = 60_000;
/** A tenth of all records thrown away is worth a look. */
const DEAD_SHARE_MAX = 0.1;
const DEAD_RECORDS_MIN = 100;

export function verdictOf(overview: Judged): Verdict {
  return ofEnd(overview) ?? ofTrouble(overview) ?? ofRunning(overview);
}

function ofEnd({ state, failure }: Judged): Verdict | undefined {
  switch (state) {
    case "FAILED":
      return error(
        `It failed: ${failure ?? "no reason is known"}. Mend that and start it again; it goes on from the last commit.`,
      );
    case "CANCELLED":
      return warning("It was cancelled. Start it again to go on from the last commit.");
    case "DONE":
    case "DRAINED":
      return ok("It has ended, and all that it read is committed.");
    case "CANCELLING":
      return warning("It is being cancelled; what is not committed is rolled back.");
    case "DRAINING":
      return ok("It is draining: it reads nothing more and commits what it has read.");
    default:
      return undefined;
  }
}

function ofTrouble({ state, failure, isPaused, backlogFiles }: Judged): Verdict | undefined {
  if (failure !== null) {
    return error(
      `It is waiting to try again: ${failure}. Look whether the database can be reached; it goes on by itself.`,
    );
  }
  if (state === "STARTING")
    return warning("It is starting: it waits for its database and for the pipeline's lock.");
  if (!isPaused) return undefined;
  const left = backlogFiles === 0 ? "" : ` ${waiting(backlogFiles)}.`;
  return warning(`It is paused and reads nothing.${left} Resume it to go on.`);
}

function ofRunning({
  totals,
  inPerSecond,
  backlogFiles,
  backlogBytes,
  lastCommitAtMs,
  startedAtMs,
  nowMs,
}: Judged): Verdict {
  const dead = Object.values(totals.deadLetters).reduce((sum, count) => sum + count, 0);
  if (dead >= DEAD_RECORDS_MIN && dead > totals.recordsRead * DEAD_SHARE_MAX) {
    const percent = Math.round((100 * dead) / totals.recordsRead);
    return warning(`${percent} % of all records became dead letters. Look at their reasons.`);
  }
  if (backlogFiles === 0) {
    return ok(
      lastCommitAtMs === null
        ? "It runs, and nothing was committed yet."
        : "All is well: everything that is there has been read and committed.",
    );
  }
  if (nowMs - Math.max(lastCommitAtMs ?? 0, startedAtMs) > CATCH_UP_MS) {
    return error(
      `${waiting(backlogFiles)} and nothing was committed for a minute. Look at the log and at the graph's slowest step.`,
    );
  }
  const mb = (backlogBytes / 1_000_000).toFixed(1);
  return ok(
    `All is well: it is catching up with ${plural(backlogFiles, "file")} (${mb} MB) at ${Math.round(inPerSecond)} records/s.`,
  );
}

function waiting(files: number): string {
  return `${plural(files, "file")} ${files === 1 ? "is" : "are"} waiting`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const ok = (sentence: string): Verdict => ({ level: "ok", sentence });
const warning = (sentence: string): Verdict => ({ level: "warning", sentence });
const error = (sentence: string): Verdict => ({ level: "error", sentence });
