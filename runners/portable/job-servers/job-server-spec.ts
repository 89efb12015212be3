/** What a kind of job server is asked for, and what it answers: a program to run. */
import type { Log } from "../../../transforms/primitives/do-fn.js";

export interface JobServerSpec {
  /** Where the job service listens, on this machine alone. */
  readonly port: number;
  /** The cluster's address; undefined: the server runs jobs in itself. */
  readonly master: string | undefined;
  /** Bytes for the objects of a JVM, in which jobs run where there is no cluster. */
  readonly heapBytes: number;
  /** Where installed servers are kept. */
  readonly cacheDir: string;
  /** A folder of this one server's own, which goes with it. */
  readonly workDir: string;
  readonly log: Log;
}

export interface ServerProgram {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where Flink's own REST API is: `host:port`, or `host:first-last` where each job has a port. */
  readonly flinkRest?: string;
}

/** Installs what is missing. @throws JobServerStartError */
export type PrepareServer = (spec: JobServerSpec) => Promise<ServerProgram>;
