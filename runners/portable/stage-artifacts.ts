/** Artifact staging: a job server asks for the artifacts of the pipeline's environments, and gets those alone. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../transforms/primitives/beam.js";
import { once } from "node:events";
import { type ClientDuplexStream, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { type ArtifactRequestWrapper, ArtifactResponseWrapper } from "apache-beam/proto/beam_artifact_api";
import { ArtifactStagingServiceClient } from "apache-beam/proto/beam_artifact_api.grpc-client";
import { ArtifactFilePayload, type ArtifactInformation } from "apache-beam/proto/beam_runner_api";
import type { Artifact } from "./artifact.js";
import { JobServerError } from "./job-service.js";

const CHUNK_BYTES = 1 << 20;

type Stream = ClientDuplexStream<ArtifactResponseWrapper, ArtifactRequestWrapper>;
type Response = ArtifactResponseWrapper["response"];

/** Answers until the server has all it asks for. @throws JobServerError, also when it asks for something else. */
export async function stageArtifacts(
  endpoint: string,
  stagingToken: string,
  artifacts: readonly Artifact[],
): Promise<void> {
  const client = new ArtifactStagingServiceClient(endpoint, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const stream: Stream = client.reverseArtifactRetrievalService();
  const answers = new Answers(stream, stagingToken);
  const offered = new Map(artifacts.map(({ information, data }) => [keyOf(information), data]));
  /** Java's servers ask for several at once, and tell the answers apart by their order alone. */
  let last: Promise<void> = Promise.resolve();
  try {
    await new Promise<void>((resolve, reject) => {
      stream.on("end", resolve);
      stream.on("error", (error: ServiceError) => reject(failed(endpoint, error)));
      stream.on("data", ({ request }: ArtifactRequestWrapper) => {
        last = last.then(() => answer(request, answers, offered, endpoint));
        last.catch(reject);
      });
      // The first message says only whose artifacts these are.
      answers.begin();
    });
  } finally {
    stream.on("error", () => undefined); // the cancellation's own
    stream.cancel();
    client.close();
  }
}

async function answer(
  request: ArtifactRequestWrapper["request"],
  answers: Answers,
  offered: ReadonlyMap<string, Uint8Array>,
  endpoint: string,
): Promise<void> {
  if (request.oneofKind === "resolveArtifact") {
    const { artifacts: replacements } = request.resolveArtifact;
    await answers.write({ oneofKind: "resolveArtifactResponse", resolveArtifactResponse: { replacements } });
  } else if (request.oneofKind === "getArtifact") {
    const { artifact } = request.getArtifact;
    const data = artifact && offered.get(keyOf(artifact));
    if (data === undefined) {
      const message = `it asked for ${describe(artifact)}, which is no artifact of the job`;
      throw new JobServerError(endpoint, "PERMISSION_DENIED", message);
    }
    await answers.writeFile(data);
  }
}

class Answers {
  readonly #stream: Stream;
  readonly #stagingToken: string;

  constructor(stream: Stream, stagingToken: string) {
    this.#stream = stream;
    this.#stagingToken = stagingToken;
  }

  begin(): void {
    this.#stream.write(ArtifactResponseWrapper.create({ stagingToken: this.#stagingToken }));
  }

  /** Resolves when the stream takes more. */
  async write(response: Response, isLast = false): Promise<void> {
    const message = ArtifactResponseWrapper.create({ stagingToken: this.#stagingToken, isLast, response });
    if (!this.#stream.write(message)) await once(this.#stream, "drain");
  }

  /** In pieces, and a last one without content: what Prism is sent with the last one it drops. */
  async writeFile(file: Uint8Array): Promise<void> {
    const piece = (data: Uint8Array): Response => ({
      oneofKind: "getArtifactResponse",
      getArtifactResponse: { data },
    });
    for (let at = 0; at < file.length; at += CHUNK_BYTES) {
      await this.write(piece(file.subarray(at, at + CHUNK_BYTES)));
    }
    await this.write(piece(new Uint8Array()), true);
  }
}

function keyOf({ typeUrn, typePayload }: ArtifactInformation): string {
  return `${typeUrn} ${Buffer.from(typePayload).toString("base64")}`;
}

/** For the message of a refusal. */
function describe(artifact: ArtifactInformation | undefined): string {
  if (artifact === undefined) return "nothing by name";
  try {
    return `"${ArtifactFilePayload.fromBinary(artifact.typePayload).path}" (${artifact.typeUrn})`;
  } catch {
    return `an artifact of the type ${artifact.typeUrn}`;
  }
}

function failed(endpoint: string, { code, details, message }: ServiceError): JobServerError {
  const name = status[code] ?? `${code}`;
  return new JobServerError(endpoint, name, `staging failed: ${name}: ${details || message}`);
}
