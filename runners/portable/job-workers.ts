/** Where the workers of a job are, and what of the pipeline travels to them. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import type { Log } from "../../transforms/primitives/do-fn.js";
import { startLoopbackWorkers } from "../harness/worker/loopback.js";
import { stopWorkersOf } from "../harness/worker/stop-job.js";
import { type Artifact, moduleArtifact } from "./artifact.js";
import { reachLocalPool } from "./local-pool.js";
import { moduleFiles } from "./modules/module-files.js";
import type { WorkerEnvironment } from "./portable-graph.js";

/** Each is one of Beam's environments. */
export const environments = ["loopback", "external", "docker"] as const;
export type EnvironmentName = (typeof environments)[number];

export interface WorkersOptions {
  readonly environment?: EnvironmentName;
  readonly workerEndpoint?: string;
  readonly image?: string;
  readonly modules?: readonly (string | URL)[];
  /** Variables of the environment of workers in this process. */
  readonly workerEnvironment?: Readonly<Record<string, string>> | undefined;
}

export interface JobWorkers {
  /** As the graph tells it to the job server. */
  readonly environment: WorkerEnvironment;
  /** What the job server is to stage. */
  readonly artifacts: readonly Artifact[];
  /** Ends what of this process serves the job. */
  release(): Promise<void>;
  /** Of a job that did not come to its end. */
  stopLeft(job: string): Promise<void>;
}

export const DEFAULT_IMAGE = "millrace-worker";

/** @throws Error when an option is missing, or belongs to another environment */
export function checkWorkersOptions({
  environment = "loopback",
  workerEndpoint,
  image,
}: WorkersOptions): void {
  if (!environments.includes(environment)) {
    throw new Error(`\`environment\` must be one of ${environments.join(", ")}, got "${environment}"`);
  }
  if (environment === "external" && !workerEndpoint) {
    throw new Error("the environment `external` needs a `workerEndpoint`, host:port of a worker pool");
  }
  const others = { external: workerEndpoint, docker: image };
  for (const [name, option] of [
    ["external", "workerEndpoint"],
    ["docker", "image"],
  ] as const) {
    if (environment === name || others[name] === undefined) continue;
    throw new Error(`\`${option}\` is for the environment \`${name}\`, not for \`${environment}\``);
  }
  if (image === "") throw new Error("`image` must name a container image, got an empty text");
}

/** @throws when the pool of this machine is not there, or a module cannot travel */
export async function prepareWorkers(options: WorkersOptions, log: Log): Promise<JobWorkers> {
  const { environment = "loopback", workerEndpoint = "", image = DEFAULT_IMAGE, modules = [] } = options;
  if (environment === "loopback") {
    const pool = await startLoopbackWorkers({ modules, log, environment: options.workerEnvironment });
    const loopback = externalEnvironment(pool.endpoint, []);
    return { environment: loopback, artifacts: [], release: () => pool.stop(), stopLeft: nothing };
  }
  if (environment === "external") await reachLocalPool(workerEndpoint);
  const artifacts = (await moduleFiles(modules)).map(moduleArtifact);
  if (environment === "docker") {
    return {
      environment: dockerEnvironment(image, artifacts),
      artifacts,
      release: nothing,
      stopLeft: nothing,
    };
  }
  return {
    environment: externalEnvironment(workerEndpoint, artifacts),
    artifacts,
    release: nothing,
    stopLeft: (job) => stopInPool(job, workerEndpoint, log),
  };
}

const nothing = async () => undefined;

function externalEnvironment(poolEndpoint: string, artifacts: readonly Artifact[]): WorkerEnvironment {
  const payload = runnerApi.ExternalPayload.create({ endpoint: { url: poolEndpoint } });
  return {
    urn: "beam:env:external:v1",
    payload: runnerApi.ExternalPayload.toBinary(payload),
    dependencies: artifacts.map(({ information }) => information),
  };
}

function dockerEnvironment(containerImage: string, artifacts: readonly Artifact[]): WorkerEnvironment {
  return {
    urn: "beam:env:docker:v1",
    payload: runnerApi.DockerPayload.toBinary({ containerImage }),
    dependencies: artifacts.map(({ information }) => information),
  };
}

/** The pool may have gone, or lie where only the job server's machines reach it. */
async function stopInPool(job: string, pool: string, log: Log): Promise<void> {
  try {
    await stopWorkersOf(job, pool);
  } catch (error) {
    log.warn(`worker pool ${pool} could not be told that the job has ended: ${(error as Error).message}`);
  }
}
