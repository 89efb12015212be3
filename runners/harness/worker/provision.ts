/** What the runner's provision service tells a worker: options, endpoints, staged artifacts, capabilities. */
import type { JsonValue } from "../../../transforms/primitives/fn-registry.js";
import {
  type ArtifactInformation,
  CALL_MS_MAX,
  connect,
  ofWorker,
  type ProvisionInfo,
  ProvisionServiceClient,
  Struct,
  statusText,
} from "./worker-grpc.js";
import type { WorkerEndpoints } from "./worker-spec.js";
import { WorkerStartError } from "./worker-start-error.js";

export interface Provision extends WorkerEndpoints {
  readonly statusEndpoint: string | undefined;
  readonly pipelineOptions: { readonly [name: string]: JsonValue };
  readonly dependencies: readonly ArtifactInformation[];
  readonly runnerCapabilities: readonly string[];
}

/** Asks once, and waits for a service that is not there yet. @throws WorkerStartError when it cannot be reached. */
export async function fetchProvision(
  endpoint: string,
  workerId: string,
  signal: AbortSignal,
): Promise<Provision> {
  const client = connect(ProvisionServiceClient, endpoint);
  try {
    return readProvision(await ask(client, workerId, signal));
  } catch (error) {
    const message = `provision service ${endpoint} gave no answer: ${statusText(error)}`;
    throw new WorkerStartError("endpoint_unreachable", message);
  } finally {
    client.close();
  }
}

function ask(
  client: ProvisionServiceClient,
  workerId: string,
  signal: AbortSignal,
): Promise<ProvisionInfo | undefined> {
  return new Promise((resolve, reject) => {
    const call = client.getProvisionInfo(
      {},
      ofWorker(workerId, { waitForReady: true }),
      { deadline: Date.now() + CALL_MS_MAX },
      (error, answer) => (error === null ? resolve(answer?.info) : reject(error)),
    );
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    call.on("status", () => signal.removeEventListener("abort", cancel));
    if (signal.aborted) cancel();
  });
}

/** What a worker knows that was given no provision service. */
export const NO_PROVISION: Provision = readProvision(undefined);

function readProvision(info: ProvisionInfo | undefined): Provision {
  return {
    controlEndpoint: urlOf(info?.controlEndpoint),
    loggingEndpoint: urlOf(info?.loggingEndpoint),
    artifactEndpoint: urlOf(info?.artifactEndpoint),
    statusEndpoint: urlOf(info?.statusEndpoint),
    pipelineOptions: toJson(info?.pipelineOptions),
    dependencies: info?.dependencies ?? [],
    runnerCapabilities: info?.runnerCapabilities ?? [],
  };
}

/** An endpoint that is not given may come as an empty one. */
export function urlOf(endpoint: { readonly url: string } | undefined): string | undefined {
  return endpoint?.url || undefined;
}

function toJson(options: ProvisionInfo["pipelineOptions"]): Provision["pipelineOptions"] {
  if (options === undefined) return {};
  return Struct.toJson(options) as Provision["pipelineOptions"];
}
