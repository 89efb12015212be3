/** What a worker is started with, in a form that crosses the border of a thread or a process. */

export interface WorkerSpec extends WorkerEndpoints {
  readonly workerId: string;
  /** Absolute path of the package whose modules and node_modules the worker uses. */
  readonly root: string;
  /** URLs of modules to import before the harness starts. */
  readonly modules: readonly string[];
  /** Whether the modules that the job has staged are fetched; not when `modules` are the pipeline's own. */
  readonly takesStagedModules: boolean;
  /** URL of the module that exports `startHarness`. */
  readonly harness: string;
}

/** Where the runner's services are, as `host:port`; what is not given here comes from the provision service. */
export interface WorkerEndpoints {
  readonly provisionEndpoint?: string | undefined;
  readonly controlEndpoint?: string | undefined;
  readonly loggingEndpoint?: string | undefined;
  readonly artifactEndpoint?: string | undefined;
}

/** The harness of this build. */
export const harnessModule = new URL("../harness.js", import.meta.url).href;
