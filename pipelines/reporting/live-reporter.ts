/** Progress on a terminal: one line that is drawn again and again, with log lines passing above it. */
import type { Job } from "../../runners/job/job.js";
import type { Clock } from "../../transforms/primitives/do-fn.js";
import { formatDuration } from "./format-quantity.js";
import { formatProgress, formatTotals } from "./progress-line.js";
import { ProgressMeter } from "./progress-meter.js";
import type { Reporter } from "./reporter.js";

const REDRAW_MS = 200;
const CLEAR_LINE = "\r\x1b[2K";
const COLUMNS_DEFAULT = 80;

/** What a live line is drawn on. */
export interface TerminalOutput {
  write(text: string): unknown;
  readonly columns?: number | undefined;
}

/** The last line of a terminal, which is ours while something else may be printed above. */
export class LiveLine {
  #shown = "";

  constructor(private readonly output: TerminalOutput) {}

  /** Draws the line anew, cut to the terminal's width; an empty one takes it away. */
  show(line: string): void {
    // a terminal that nobody told its size has 0 columns
    const columns = this.output.columns || COLUMNS_DEFAULT;
    // one column free: a full line would wrap, and \r would then clear half of it
    const fitting = [...line].slice(0, columns - 1).join("");
    if (fitting === this.#shown) return;
    this.#shown = fitting;
    this.output.write(CLEAR_LINE + fitting);
  }

  /** Lets something else write whole lines, e.g. the log on the same terminal. */
  printAbove(print: () => void): void {
    const line = this.#shown;
    this.show("");
    print();
    this.show(line);
  }
}

/** Draws until the job has ended; then the totals stay. */
export function createLiveReporter(job: Job, clock: Clock, line: LiveLine, output: TerminalOutput): Reporter {
  const meter = new ProgressMeter(clock.now(), job.totals, job.sources);
  const ended = new AbortController();
  let trouble = "";
  let away = "";
  const redraw = async () => {
    while (!ended.signal.aborted) {
      const note = job.state === "DRAINING" ? "  draining" : trouble || away;
      line.show(formatProgress(job.pipeline, meter.at(clock.now())) + note);
      await clock.sleep(REDRAW_MS, ended.signal);
    }
  };
  void redraw();
  return {
    commit(commit) {
      trouble = "";
      meter.add(commit);
    },
    event(event) {
      if (event.type === "retry") trouble = `  waiting ${formatDuration(event.delayMs)}: ${event.reason}`;
      if (event.type === "sink-database") {
        const { database, awayReason } = event.status;
        away = awayReason === undefined ? "" : `  database "${database}" is away: ${awayReason}`;
      }
    },
    end(end, totals) {
      ended.abort();
      line.show("");
      output.write(`${job.pipeline}  ${end.state}  ${formatTotals(totals)}\n`);
    },
  };
}
