/** Starts the page at :4040 beside a running job, when the job has something to show: its first row comes first. */
import type { JobEvent } from "../runners/job/job.js";
import type { JobMonitor, MonitoredRun, VerbContext } from "./verb.js";

/** The job has so long for its first commit before the monitor is loaded beside it. */
const HEAD_START_MS = 1_000;
/** What a monitor has left to write may keep the command so long. */
const CLOSE_MS_MAX = 2_000;
/** Events before the monitor is there; a job that tells more meanwhile is left without its first ones. */
const EARLY_EVENTS_MAX = 1_000;

const NO_MONITOR: JobMonitor = { close: async () => undefined };

/** Looks on from the very call on. What fails in it is logged: the job goes on. */
export function monitorJob(context: VerbContext, run: MonitoredRun): JobMonitor {
  if (context.loaded.config.monitorPort === 0) return NO_MONITOR;
  const startedAtMs = context.clock.now();
  const early: JobEvent[] = [];
  const ended = new AbortController();
  const begin = new AbortController();
  const unsubscribe = run.job.subscribe((event) => {
    if (early.length < EARLY_EVENTS_MAX) early.push(event);
    if (event.type === "commit") begin.abort();
  });
  const opening = open();
  opening.catch((error: Error) => context.log.warn(`there is no page for this run: ${error.message}`));
  return { close };

  async function open() {
    await context.clock.sleep(HEAD_START_MS, AbortSignal.any([begin.signal, ended.signal]));
    // it has ended without a commit: there is nothing to show, and nothing to keep
    if (ended.signal.aborted && !begin.signal.aborted) return NO_MONITOR;
    const openMonitor = await context.parts.loadMonitor();
    unsubscribe();
    return openMonitor(context, run, { early, startedAtMs }, ended.signal);
  }

  async function close(): Promise<void> {
    ended.abort();
    const timer = new AbortController();
    const closed = opening.then((monitor) => monitor.close()).catch(() => undefined); // told above
    await Promise.race([closed, context.clock.sleep(CLOSE_MS_MAX, timer.signal)]);
    timer.abort();
  }
}
