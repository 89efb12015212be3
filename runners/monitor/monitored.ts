/** What a monitor shows: a job, its dead letters, the panels and the settings of whoever started it. */
import type { DeadLetterActions } from "../job/dead-letter-actions.js";
import type { JobInspection } from "../job/job-inspection.js";
import type { Environment, PanelData, PanelDescription } from "../job/job-view.js";

export interface Monitored {
  readonly inspection: JobInspection;
  /** Undefined where the pipeline keeps none. */
  readonly deadLetters: DeadLetterActions | undefined;
  readonly panels: readonly Panel[];
  environment(): Environment | Promise<Environment>;
  /** Told of what is to be logged. */
  readonly warn: (message: string) => void;
}

/** A view of the pipeline's own data. */
export interface Panel {
  readonly description: PanelDescription;
  /** Asked for all who watch at once; it bounds its own time. */
  read(): Promise<Pick<PanelData, "columns" | "rows">>;
}
