/** What can be seen of a running job and asked of it, live and from its history: all that a monitor knows of jobs. */
import type { JobState } from "./job-state.js";
import type {
  Batch,
  BatchDetail,
  Checkpoints,
  FileView,
  GraphFigures,
  JobAction,
  JobGraph,
  JobOverview,
  Page,
  Series,
  StepSamples,
} from "./job-view.js";

/** A part of a list that is read backwards from the newest. */
export interface PageQuery {
  /** What the page before gave as `next`. */
  readonly before?: string | undefined;
  /** At most 200. */
  readonly limit: number;
}

export interface FileQuery extends PageQuery {
  /** In the path. */
  readonly search?: string | undefined;
  readonly state?: string | undefined;
}

export interface SeriesQuery {
  readonly fromMs: number;
  readonly toMs: number;
  /** At most. */
  readonly points: number;
}

/** Whether it does what it is there for, and what keeps it from that. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/** A commit or a retry, as it happens, for those who count. */
export type InspectionEvent =
  | { readonly type: "batch"; readonly batch: Batch }
  | { readonly type: "retry"; readonly sqlStateClass: string };

/** History comes from the database and may fail as it does; the rest is answered at once. */
export interface JobInspection {
  overview(): JobOverview;
  readiness(): Readiness;
  readonly graph: JobGraph;
  figures(): GraphFigures;
  /** Undefined: the graph has no such step. */
  samples(step: string): StepSamples | undefined;
  series(query: SeriesQuery): Promise<Series>;
  /** The newest first. */
  batches(query: PageQuery): Promise<Page<Batch>>;
  /** Undefined: no such epoch is kept. */
  batch(epoch: number): Promise<BatchDetail | undefined>;
  checkpoints(): Promise<Checkpoints>;
  /** The newest first. */
  files(query: FileQuery): Promise<Page<FileView>>;
  /**
   * Asks the job for it, without waiting for its end; resolves to the state after that.
   * @throws ActionRefusedError when the job cannot do it, or not now
   */
  act(action: JobAction): Promise<JobState>;
  /**
   * Calls back for what happens from now on; who subscribes first is told at once what has happened since the job's
   * start. Returns the way to stop it.
   */
  subscribe(listener: (event: InspectionEvent) => void): () => void;
}

export class ActionRefusedError extends Error {
  override readonly name = "ActionRefusedError";
  readonly code = "MILLRACE_ACTION_REFUSED";
}
