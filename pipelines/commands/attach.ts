/** `pipeline attach|drain|cancel|pause|resume`: follows or steers a run that another process holds. */
import type { JobOverview } from "../../runners/job/job-view.js";
import { AttachedJob } from "../attached-job.js";
import { formatCount } from "../reporting/format-quantity.js";
import { UsageError } from "../usage-error.js";
import type { VerbContext } from "../verb.js";

const ACTIONS = ["attach", "drain", "cancel", "pause", "resume"] as const;
type AttachAction = (typeof ACTIONS)[number];

/** @throws UsageError for another action, or when no run can be reached */
export async function runAttached(context: VerbContext, action: string): Promise<number> {
  if (!isAction(action)) {
    throw new UsageError([
      `pipeline may be followed by one of ${ACTIONS.join(", ")}, got ${JSON.stringify(action)}`,
    ]);
  }
  const { config } = context.loaded;
  const job = await AttachedJob.find(config.stateDir, config.pipeline);
  if (action !== "attach") {
    const state = await job.act(action);
    context.log.info(`${config.pipeline}: ${action} asked for, the job is ${state}`);
    if (action === "pause" || action === "resume") return 0;
  }
  return follow(context, job);
}

function isAction(action: string): action is AttachAction {
  return ACTIONS.some((known) => known === action);
}

/** Until the job has ended or this command is stopped, which leaves the job alone. */
async function follow({ loaded, stop, liveLine, stdout }: VerbContext, job: AttachedJob): Promise<number> {
  let last: JobOverview | undefined;
  for await (const overview of job.follow(stop.requested)) {
    const isNews = last === undefined || last.epoch !== overview.epoch || last.state !== overview.state;
    last = overview;
    if (loaded.config.json) {
      if (isNews) stdout.write(`${JSON.stringify(overview)}\n`);
    } else if (liveLine !== undefined) liveLine.show(describe(overview));
    else if (isNews) stdout.write(`${describe(overview)}\n`);
  }
  liveLine?.show("");
  return last?.state === "FAILED" ? 1 : 0;
}

function describe(overview: JobOverview): string {
  const { state, isPaused, epoch, totals, inPerSecond, backlogFiles, verdict } = overview;
  const figures = [
    `epoch ${epoch}`,
    `${formatCount(totals.recordsRead)} read`,
    `${formatCount(totals.eventsWritten)} written`,
    `${Math.round(inPerSecond)}/s`,
    `${backlogFiles} files waiting`,
  ].join(", ");
  return `${isPaused ? "PAUSED" : state}: ${figures}. ${verdict.sentence}`;
}
