/** The start of a worker: provision, modules, then the harness, until the runner has no more work for it. */
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { readRunOption, workerConnection } from "../database/worker-run.js";
import type { HarnessOptions, startHarness } from "../harness.js";
import { placeModules } from "./place-modules.js";
import { fetchProvision, NO_PROVISION, type Provision } from "./provision.js";
import { refuseInstructions } from "./refuse-instructions.js";
import { withRetrieval } from "./retrieve-artifact.js";
import { stagedModules } from "./staged-modules.js";
import { JOB_OPTION } from "./stop-job.js";
import { inOneLine } from "./worker-messages.js";
import type { WorkerSpec } from "./worker-spec.js";
import { WorkerStartError } from "./worker-start-error.js";

export interface RunWorkerOptions extends Omit<WorkerSpec, "harness"> {
  readonly log: Log;
  /** Fires when the worker is to stop. */
  readonly signal: AbortSignal;
  readonly startHarness: typeof startHarness;
  /** Called when the runner has told whose worker it is. */
  readonly onJob?: (job: string) => void;
  /** Called once the harness runs. */
  readonly onStarted?: () => void;
  /** Called with the reason of a failed start, before the runner is told. */
  readonly onRefused?: (reason: string) => void;
}

/**
 * Resolves when the runner has closed the control stream, or after `signal`.
 * @throws WorkerStartError when the worker cannot start; the runner has then been told why, as far as it was there
 * @throws whatever ended the harness
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { workerId, log, signal } = options;
  let controlEndpoint = options.controlEndpoint;
  let provision: Provision;
  let database: HarnessOptions["database"];
  try {
    provision = await provisionOf(options);
    const job = provision.pipelineOptions[JOB_OPTION];
    if (typeof job === "string") options.onJob?.(job);
    controlEndpoint ??= provision.controlEndpoint;
    if (controlEndpoint === undefined) {
      const message = `worker ${workerId} was given no control endpoint, and the provision service names none`;
      throw new WorkerStartError("endpoint_missing", message);
    }
    database = await databaseOf(provision);
    for (const url of [...options.modules, ...(await ownModules(options, provision))])
      await importModule(url);
  } catch (error) {
    if (signal.aborted) return;
    const reason = `worker ${workerId} cannot start: ${inOneLine(error)}`;
    options.onRefused?.(reason);
    if (controlEndpoint !== undefined) {
      await refuseInstructions({ controlEndpoint, workerId, reason, signal });
    }
    throw error;
  }
  if (signal.aborted) return;
  let bundles = 0;
  const harness = options.startHarness({
    workerId,
    controlEndpoint,
    loggingEndpoint: options.loggingEndpoint ?? provision.loggingEndpoint,
    statusEndpoint: provision.statusEndpoint,
    pipelineOptions: provision.pipelineOptions,
    runnerCapabilities: provision.runnerCapabilities,
    database,
    fallbackLog: (line) => log.info(line),
    onBundle: () => bundles++,
    signal,
  });
  options.onStarted?.();
  try {
    await harness.whenDone;
  } finally {
    log.debug(`it has answered ${bundles} bundles`); // tells whether the work was spread over a pool
  }
}

/** Undefined where the job is part of no run, or this worker's environment names no database. */
async function databaseOf({ pipelineOptions }: Provision): Promise<HarnessOptions["database"]> {
  const run = readRunOption(pipelineOptions);
  const connection = run && (await workerConnection(process.env));
  return run && connection && { run, connection };
}

async function provisionOf({ provisionEndpoint, workerId, signal }: RunWorkerOptions): Promise<Provision> {
  if (provisionEndpoint === undefined) return NO_PROVISION;
  return await fetchProvision(provisionEndpoint, workerId, signal);
}

/** URLs of the modules that the job has staged. */
async function ownModules(options: RunWorkerOptions, provision: Provision): Promise<string[]> {
  if (!options.takesStagedModules) return [];
  const { workerId, signal, root, log } = options;
  const staged = stagedModules(provision.dependencies);
  if (staged.length === 0) return [];
  // Prism tells whoever starts a worker its control endpoint for all services
  const endpoint = provision.artifactEndpoint ?? options.artifactEndpoint;
  if (endpoint === undefined) {
    const message = `the job has staged ${staged.map(({ module }) => module).join(", ")}, but names no artifact endpoint`;
    throw new WorkerStartError("endpoint_missing", message);
  }
  const urls = await withRetrieval({ endpoint, workerId, signal }, (fetch) =>
    placeModules(root, staged, fetch),
  );
  log.debug("modules placed", { worker: workerId, modules: urls.join(" ") });
  return urls;
}

async function importModule(url: string): Promise<void> {
  try {
    await import(url);
  } catch (error) {
    const message = `module ${url} could not be imported: ${inOneLine(error)}`;
    throw new WorkerStartError("module_import", message, { cause: error });
  }
}
