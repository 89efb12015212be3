/**
 * What a running job shows of itself, as plain JSON: the shapes that `/api` sends and the pages read. Times are ms
 * since 1970, durations ms, sizes bytes, rates a second; what is not known is null.
 */
import type { RecordCounts } from "../../sql/ledger.js";
import type { JobState } from "./job-state.js";

/** What can be asked of a job; what its runner cannot do is absent. */
export type JobAction = "pause" | "resume" | "drain" | "cancel" | "savepoint" | "retry-dead-letters";

/** One sentence on top: whether all is well and, if not, what to do. */
export interface Verdict {
  readonly level: "ok" | "warning" | "error";
  readonly sentence: string;
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface JobOverview {
  readonly pipeline: string;
  readonly runner: string;
  readonly runId: string | null;
  readonly version: string;
  readonly state: JobState;
  readonly isPaused: boolean;
  /** What it failed with, and what it is waiting for, in one line. */
  readonly failure: string | null;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly verdict: Verdict;
  /** Reconnects and failed epochs of this run. */
  readonly retries: number;
  readonly inPerSecond: number;
  readonly outPerSecond: number;
  /** From an event's file landing to its commit, of the last minute; null without commits. */
  readonly latencyMs: Percentiles | null;
  readonly backlogFiles: number;
  readonly backlogBytes: number;
  readonly watermarkMs: number | null;
  /** Wall clock less watermark. */
  readonly watermarkLagMs: number | null;
  readonly epoch: number;
  readonly lastCommitAtMs: number | null;
  /** Since the pipeline's first commit. */
  readonly totals: RecordCounts;
  readonly actions: readonly JobAction[];
  readonly process: {
    readonly pid: number;
    readonly host: string;
    readonly cpuShare: number;
    readonly rssBytes: number;
  };
}

/** The Beam graph, drawn once; its figures come in `GraphFigures`. */
export interface JobGraph {
  readonly steps: readonly GraphStep[];
  /** An arrow for each PCollection and consumer. */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly collection: string }[];
}

/** Of a step. */
export type UnknownFigure = "counts" | "queueFill" | "waiting" | "stateBytes" | "timers" | "samples";

export interface GraphStep {
  /** Its path, unique. */
  readonly id: string;
  readonly name: string;
  /** Paths of the composites around it, outermost first. */
  readonly composites: readonly string[];
  readonly urn: string;
  readonly kind: "source" | "parDo" | "groupByKey" | "flatten" | "impulse" | "reshuffle" | "other";
  /** Which fused stage runs it. */
  readonly stage: string;
  readonly hasState: boolean;
  readonly hasTimers: boolean;
  /** Why a figure of it is never known. */
  readonly unknown?: Readonly<Partial<Record<UnknownFigure, string>>>;
  /** The registered name of its DoFn and its configuration, secrets masked; null where there is none. */
  readonly doFn: { readonly name: string; readonly config: unknown } | null;
}

export interface GraphFigures {
  readonly atMs: number;
  readonly steps: readonly StepFigures[];
}

export interface StepFigures {
  readonly id: string;
  /** Counts and rates are null where the runner tells of none before the job's end. */
  readonly elementsIn: number | null;
  readonly elementsOut: number | null;
  readonly inPerSecond: number | null;
  readonly outPerSecond: number | null;
  /** 0 to 1 of wall time since the last figures; null where it is not measured. */
  readonly busyShare: number | null;
  /** 0 to 1 of time in which it waited for those behind it. */
  readonly blockedShare: number | null;
  /** 0 to 1 of the elements that an asynchronous step works on at once: what is full makes those before it wait. */
  readonly queueFill: number | null;
  /** Elements that wait between two stages; only the first steps of a stage have them. */
  readonly waiting?: number | null;
  readonly watermarkMs: number | null;
  readonly stateBytes: number | null;
  /** Keys with state, once for each window. */
  readonly stateKeys?: number | null;
  readonly timers: number | null;
  readonly counters: Readonly<Record<string, number>>;
}

/** The last elements that a step has made. */
export interface StepSamples {
  readonly step: string;
  /** Why there are none; null where they are kept. */
  readonly reason: string | null;
  /** The oldest first. */
  readonly elements: readonly {
    /** The tag of the output. */
    readonly output: string;
    readonly eventTimeMs: number | null;
    /** As JSON; what is cut ends with `…`. */
    readonly text: string;
  }[];
}

/** A committed epoch, as `CommitReport` has it, kept in the database. */
export interface Batch {
  readonly epoch: number;
  readonly runId: string;
  readonly startedAtMs: number;
  readonly committedAtMs: number;
  /** By phase: `read`, `wait`, `sink`, `commit`. */
  readonly durationMs: Readonly<Record<string, number>>;
  readonly counts: RecordCounts;
  readonly inPerSecond: number;
  readonly processedPerSecond: number;
  readonly latencyMs: Percentiles | null;
  readonly watermarkMs: number | null;
  readonly eventTime: { readonly minMs: number; readonly maxMs: number } | null;
  readonly backlogFiles: number;
  readonly backlogBytes: number;
  /** Sent to the database in its transaction; null where workers of a job server write, and before it was recorded. */
  readonly sentBytes?: number | null;
}

export interface BatchDetail extends Batch {
  readonly sources: readonly BatchSource[];
}

export interface BatchSource {
  readonly description: string;
  readonly files: readonly {
    readonly path: string;
    readonly startOffset: number;
    readonly endOffset: number;
  }[];
}

/** One page of a list that is read backwards from the newest. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** What `before` (or `after`) takes for the next page; null on the last one. */
  readonly next: string | null;
}

/**
 * Figures over time, downsampled to at most `points`; each array is as long as `atMs`, null where nothing was.
 * Names: inPerSecond, outPerSecond, processedPerSecond, batchDurationMs, recordsPerBatch, latencyP50Ms, latencyP99Ms,
 * watermarkLagMs, backlogBytes, backlogFiles, deadLettersPerSecond, duplicatesPerSecond, rssBytes, cpuShare.
 */
export interface Series {
  readonly fromMs: number;
  readonly toMs: number;
  readonly atMs: readonly number[];
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
  /** Over the same time: upper borders and counts, by the same names. */
  readonly histograms: Readonly<Record<string, Histogram>>;
}

export interface Histogram {
  readonly upTo: readonly number[];
  readonly counts: readonly number[];
}

/** Flink's four parts. */
export interface Checkpoints {
  readonly overview: {
    readonly triggered: number;
    readonly inProgress: number;
    readonly completed: number;
    readonly failed: number;
    readonly restored: number;
  };
  readonly latest: {
    readonly completed: Checkpoint | null;
    readonly failed: Checkpoint | null;
    readonly savepoint: Checkpoint | null;
    readonly restored: Checkpoint | null;
  };
  readonly history: readonly Checkpoint[];
  readonly summary: Readonly<
    Record<"durationMs" | "sizeBytes", { min: number; mean: number; max: number } | null>
  >;
  /** E.g. mode, interval, where it is kept. */
  readonly configuration: readonly { readonly name: string; readonly value: string }[];
}

export interface Checkpoint {
  readonly id: string;
  readonly kind: "epoch" | "snapshot" | "savepoint";
  readonly status: "in progress" | "completed" | "failed" | "restored";
  readonly triggeredAtMs: number;
  readonly durationMs: number | null;
  readonly sizeBytes: number | null;
  readonly message: string | null;
}

export interface FileView {
  readonly fileId: number;
  readonly path: string;
  readonly generation: number;
  /** `reading`, `ended`, `done`, `corrupt`, `missing`, `archived`, `deleted`, `replaced`. */
  readonly state: string;
  readonly byteOffset: number;
  readonly sizeBytes: number;
  readonly isCompressed: boolean;
  readonly firstSeenAtMs: number;
  readonly updatedAtMs: number;
  readonly counts: RecordCounts;
}

export interface Setting {
  readonly name: string;
  /** Secrets masked. */
  readonly value: string;
  /** `default`, a flag, a variable, or a file and its key. */
  readonly origin: string;
}

export interface Environment {
  readonly settings: readonly Setting[];
  /** Versions of Millrace, Node, PostgreSQL, Beam; host, cores, memory. */
  readonly facts: readonly { readonly name: string; readonly value: string }[];
}

/** Without its bytes, which need the token. */
export interface DeadLetterSummary {
  readonly id: string;
  readonly reason: string;
  readonly sourceFile: string;
  readonly generation: number;
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly epoch: number;
  readonly createdAtMs: number;
  readonly messages: readonly string[];
  readonly retry: DeadLetterRetry | null;
}

export interface DeadLetterRetry {
  readonly status: "requested" | "written" | "duplicate" | "conflict" | "rejected";
  readonly by: string;
  readonly atMs: number;
  /** Of the commit that decided it. */
  readonly epoch: number | null;
  /** Why it was rejected again. */
  readonly messages: readonly string[];
  /** Of the rejection; the letter itself keeps its own. Null for every other status. */
  readonly reason: string | null;
  /** Retries that are decided. */
  readonly attempts: number;
}

export interface DeadLetterDetail extends DeadLetterSummary {
  readonly rawBase64: string;
  /** Null where the bytes are no valid UTF-8. */
  readonly text: string | null;
  /** The header of its file, if it is known: what the fields are called. */
  readonly fields:
    | readonly { readonly name: string; readonly value: string; readonly isFailing: boolean }[]
    | null;
}

export interface DeadLetterReasons {
  /** Of those that are dead still, as `status` counts them; what was purged is not there any more. */
  readonly total: number;
  readonly byReason: Readonly<Record<string, number>>;
  /** That became written, a duplicate or a conflict. */
  readonly retried: number;
  /** Downsampled: letters by reason in each span of time, by when they came, whatever became of them since. */
  readonly atMs: readonly number[];
  readonly series: Readonly<Record<string, readonly number[]>>;
}

export interface DeadLetterQuery {
  readonly reason?: string;
  /** In file name, messages and text. */
  readonly search?: string;
  readonly before?: string;
  /** At most 200. */
  readonly limit?: number;
}

/** What a pipeline shows of its data, registered by the pipeline. */
export interface PanelDescription {
  readonly name: string;
  readonly title: string;
  readonly chart: "table" | "bars" | "lines" | "funnel";
  /** For charts: which column is across, which are drawn, and which parts the series (one line each). */
  readonly x?: string;
  readonly y?: readonly string[];
  readonly by?: string;
}

export interface PanelData {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: "text" | "number" | "time" }[];
  /** Numbers that may not fit a double are text. */
  readonly rows: readonly (readonly (string | number | null)[])[];
  readonly queriedAtMs: number;
  readonly tookMs: number;
  /** The last query failed: what is shown is older. */
  readonly staleReason: string | null;
}

/** Server-sent events of `/api/events`: the event's name, and what its data are. */
export interface LiveEvents {
  readonly overview: JobOverview;
  readonly graph: GraphFigures;
  readonly batch: Batch;
  readonly panel: PanelData;
}
