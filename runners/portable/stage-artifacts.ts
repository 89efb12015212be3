/** Artifact staging: a job server asks for the files of the pipeline's environments, and gets them. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../transforms/primitives/beam.js";
import { readFile } from "node:fs/promises";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { type ArtifactRequestWrapper, ArtifactResponseWrapper } from "apache-beam/proto/beam_artifact_api";
import { ArtifactStagingServiceClient } from "apache-beam/proto/beam_artifact_api.grpc-client";
import { ArtifactFilePayload, type ArtifactInformation } from "apache-beam/proto/beam_runner_api";
import { JobServerError } from "./job-service.js";

const CHUNK_BYTES = 1 << 20;
const FILE_URN = "beam:artifact:type:file:v1";

/** Answers until the server has all it asks for. @throws JobServerError, or what reading a file throws. */
export async function stageArtifacts(endpoint: string, stagingToken: string): Promise<void> {
  const client = new ArtifactStagingServiceClient(endpoint, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const stream = client.reverseArtifactRetrievalService();
  const answer = (response: ArtifactResponseWrapper["response"], isLast = false) =>
    stream.write(ArtifactResponseWrapper.create({ stagingToken, isLast, response }));
  try {
    await new Promise<void>((resolve, reject) => {
      stream.on("end", resolve);
      stream.on("error", (error: ServiceError) => {
        reject(
          new JobServerError(endpoint, `${error.code}`, `staging failed: ${error.details || error.message}`),
        );
      });
      stream.on("data", ({ request }: ArtifactRequestWrapper) => {
        if (request.oneofKind === "resolveArtifact") {
          const { artifacts: replacements } = request.resolveArtifact;
          answer({ oneofKind: "resolveArtifactResponse", resolveArtifactResponse: { replacements } });
        } else if (request.oneofKind === "getArtifact") {
          sendFile(request.getArtifact.artifact, answer).catch(reject);
        }
      });
      // The first message says only whose artifacts these are.
      stream.write(ArtifactResponseWrapper.create({ stagingToken }));
    });
  } finally {
    stream.cancel();
    client.close();
  }
}

async function sendFile(
  artifact: ArtifactInformation | undefined,
  answer: (response: ArtifactResponseWrapper["response"], isLast?: boolean) => void,
): Promise<void> {
  if (artifact?.typeUrn !== FILE_URN)
    throw new Error(`no artifact of the type "${artifact?.typeUrn}" was offered`);
  const { path } = ArtifactFilePayload.fromBinary(artifact.typePayload);
  const bytes = await readFile(path);
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const data = bytes.subarray(at, at + CHUNK_BYTES);
    answer({ oneofKind: "getArtifactResponse", getArtifactResponse: { data } });
  }
  answer({ oneofKind: "getArtifactResponse", getArtifactResponse: { data: new Uint8Array() } }, true);
}
