/** What a verb of the command line is given, and the parts of the house that it may use. */
import type { Job, JobEvent } from "../runners/job/job.js";
import type { ConnectionConfig } from "../sql/sql-session.js";
import type { Clock, Log } from "../transforms/primitives/do-fn.js";
import type { LoadedConfig } from "./config.js";
import type { OpenDatabase, OpenEmbeddedPostgres } from "./open-database.js";
import type { BuildPipeline, BuiltPipeline, ByName, CreateRunner } from "./registry.js";
import type { LiveLine } from "./reporting/live-reporter.js";
import type { RecordLog } from "./reporting/streaming-progress.js";
import type { StopSignals } from "./stop-signals.js";

/** Runs a verb; resolves to the exit code. */
export type RunVerb = (context: VerbContext) => Promise<number>;

/** The surroundings of one command. */
export interface VerbContext {
  readonly verb: string;
  /** Arguments that are no flags, e.g. `sql` and `select 1` of `db`. */
  readonly args: readonly string[];
  readonly loaded: LoadedConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  /** The line that redraws itself when stdout is a terminal and nobody asked for JSON. */
  readonly liveLine: LiveLine | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly stop: StopSignals;
  readonly parts: Parts;
  /** Opens the database that the configuration names, else (or if asked) the embedded one; the caller closes it. */
  openDatabase(options?: { readonly embedded: boolean }): Promise<OpenDatabase>;
}

/** A stream of text that may be a terminal, such as `process.stdout`. */
export interface TextOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What the command line puts together, each part loaded only when it is used. */
export interface Parts {
  readonly clock: Clock;
  /** By the name of the verb; a verb that is missing here is not offered. */
  readonly verbs: ByName<RunVerb>;
  readonly runners: ByName<CreateRunner>;
  readonly pipelines: ByName<BuildPipeline>;
  readonly loadEmbedded: () => Promise<OpenEmbeddedPostgres>;
  readonly loadSchema: () => Promise<DatabaseSchema>;
  readonly loadRecordLog: () => Promise<OpenRecordLog>;
  readonly loadMonitor: () => Promise<OpenMonitor>;
}

export interface DatabaseSchema {
  /** Brings the schema up to date. @throws the database's error when it does not take us */
  migrate(connection: ConnectionConfig, log: Log): Promise<void>;
  /** Whether an error of the database may pass by itself (SQLSTATE decides). */
  isAway(error: unknown): boolean;
}

/** Opens a log of JSON lines that rotates itself. */
export type OpenRecordLog = (path: string, onError: (error: Error) => void) => RecordLog;

export interface JobMonitor {
  /** Writes what is left of the history and lets go of the port. */
  close(): Promise<void>;
}

export interface MonitoredRun {
  readonly job: Job;
  readonly pipeline: BuiltPipeline;
  readonly database: OpenDatabase;
}

/** What there was before the monitor. */
export interface BeforeMonitor {
  readonly startedAtMs: number;
  readonly early: readonly JobEvent[];
}

/** Opens it; of a job that has `ended` by then only the history is written. */
export type OpenMonitor = (
  context: VerbContext,
  run: MonitoredRun,
  before: BeforeMonitor,
  ended: AbortSignal,
) => Promise<JobMonitor>;
