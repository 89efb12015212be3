/** What every runner takes, and what it gives back. */
import type { SinkDatabases } from "../../sql/sink-databases.js";
import type { ConnectionConfig } from "../../sql/sql-session.js";
import type { Pipeline, runnerApi } from "../../transforms/primitives/beam.js";
import type { Clock, Log } from "../../transforms/primitives/do-fn.js";
import type { Job } from "./job.js";
import type { RunClient } from "./run-client.js";

/** Where state is that a commit has changed: in the database, or on this machine alone. */
export type StateDurability = "database" | "local";

export interface LocalStoreOptions {
  /** Each pipeline has a folder of its own in it. */
  readonly directory: string;
  readonly durability: StateDurability;
  /** What keys that are in memory may take there, in bytes, more or less. */
  readonly residentBytesMax?: number | undefined;
  /** What may wait in memory to be written to the store, in bytes. */
  readonly waitingBytesMax?: number | undefined;
  /** Epochs between snapshots in the database, at the least. */
  readonly snapshotEpochs?: number | undefined;
  /** Bytes of a snapshot's piece, which one epoch takes in. */
  readonly pieceBytes?: number | undefined;
}

export interface RunnerOptions {
  /** Name under which positions, epoch and counts are kept, e.g. `user-events`. */
  readonly pipeline: string;
  /** Where it all is committed. Without one, and without a log, the job lives in memory alone. */
  readonly connection?: ConnectionConfig | undefined;
  /** Other databases that sinks name, e.g. by `sinkDatabasesOf(process.env)`; for the direct runner. */
  readonly sinkDatabases?: SinkDatabases | undefined;
  /** A folder in which the direct runner commits it instead: the pipeline's commit log. */
  readonly commitLogDir?: string | undefined;
  /** Process what is there now, commit it, end. */
  readonly once: boolean;
  /** With `once`: drain then, so that windows and timers come to their end; nothing can come any more. */
  readonly drainsAtEnd?: boolean;
  /** Terminate whoever holds the pipeline. */
  readonly takeover: boolean;
  /** How long `--once` puts up with a database that is away; a stream waits without limit. */
  readonly retryTimeoutMs: number;
  /** Elements that the sources emit into one epoch, at the most. */
  readonly bundleRecordsMax?: number;
  /** Elements that a stage is given in one bundle, at the most. */
  readonly bundleElementsMax?: number;
  /** Elements of each step that are kept for somebody who looks; by default none, and nothing is done for it. */
  readonly samplesMax?: number | undefined;
  /** Where the direct runner has a view of the pipeline's state on this machine's disk; without one all is in memory. */
  readonly localStore?: LocalStoreOptions | undefined;
  /** What the pipeline does around a run on a job server; the direct runner has no use for it. */
  readonly client?: RunClient | undefined;
  /** Variables by which workers started by this process find the same database, e.g. `MILLRACE_DATABASE_URL`. */
  readonly workerEnvironment?: Readonly<Record<string, string>> | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Runner {
  /**
   * Starts the graph. @throws UnsupportedFeatureError, naming every feature the runner lacks, before
   * the first element is read.
   */
  run(pipeline: Pipeline | runnerApi.Pipeline, options: RunnerOptions): Promise<Job>;
}
