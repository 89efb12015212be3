/** Reads one artifact from the runner's artifact retrieval service. */
import type { ServiceError } from "@grpc/grpc-js";
import { MODULE_BYTES_MAX } from "./module-role.js";
import { type StagedModule, verifyModule } from "./staged-modules.js";
import {
  type ArtifactInformation,
  ArtifactRetrievalServiceClient,
  connect,
  ofWorker,
  statusText,
} from "./worker-grpc.js";
import { WorkerStartError } from "./worker-start-error.js";

export interface ArtifactSource {
  readonly endpoint: string;
  readonly workerId: string;
  readonly signal: AbortSignal;
}

/** How long the artifacts of one module may take. */
const RETRIEVAL_MS_MAX = 120_000;

/** Gives `use` a way to fetch modules, each with its hash checked, for as long as it runs. */
export async function withRetrieval<T>(
  source: ArtifactSource,
  use: (fetch: (staged: StagedModule) => Promise<Uint8Array>) => Promise<T>,
): Promise<T> {
  const client = connect(ArtifactRetrievalServiceClient, source.endpoint);
  try {
    return await use(async (staged) => verifyModule(staged, await retrieve(client, source, staged)));
  } finally {
    client.close();
  }
}

async function retrieve(
  client: ArtifactRetrievalServiceClient,
  { endpoint, workerId, signal }: ArtifactSource,
  { artifact, module }: StagedModule,
): Promise<Uint8Array> {
  const call = startRetrieval(client, workerId, artifact);
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const { data } of call) {
      bytes += data.length;
      if (bytes > MODULE_BYTES_MAX) {
        call.cancel();
        const message = `module ${module} must have ${MODULE_BYTES_MAX} bytes at most, got more from ${endpoint}`;
        throw new WorkerStartError("artifact_refused", message);
      }
      chunks.push(data);
    }
  } catch (error) {
    if (error instanceof WorkerStartError) throw error;
    const message = `artifact service ${endpoint} did not give module ${module}: ${statusText(error as ServiceError)}`;
    throw new WorkerStartError("endpoint_unreachable", message);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
  return Buffer.concat(chunks);
}

function startRetrieval(
  client: ArtifactRetrievalServiceClient,
  workerId: string,
  artifact: ArtifactInformation,
) {
  const deadline = Date.now() + RETRIEVAL_MS_MAX;
  return client.getArtifact({ artifact }, ofWorker(workerId, { waitForReady: true }), { deadline });
}
