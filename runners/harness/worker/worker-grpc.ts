/** The generated messages, clients and servers that a worker needs, and how it connects to a runner's services. */
import { Client, type ClientOptions, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

// These modules need protobuf-ts and gRPC alone, none of the SDK: whoever only starts workers need not load it.
export { ArtifactRetrievalServiceClient } from "apache-beam/proto/beam_artifact_api.grpc-client";
export type {
  InstructionRequest,
  ProcessBundleDescriptor,
  StartWorkerRequest,
} from "apache-beam/proto/beam_fn_api";
export { InstructionResponse } from "apache-beam/proto/beam_fn_api";
export { BeamFnControlClient } from "apache-beam/proto/beam_fn_api.grpc-client";
export {
  beamFnExternalWorkerPoolDefinition,
  type IBeamFnExternalWorkerPool,
} from "apache-beam/proto/beam_fn_api.grpc-server";
export type { ProvisionInfo } from "apache-beam/proto/beam_provision_api";
export { ProvisionServiceClient } from "apache-beam/proto/beam_provision_api.grpc-client";
export type { ArtifactInformation } from "apache-beam/proto/beam_runner_api";
export { ArtifactFilePayload } from "apache-beam/proto/beam_runner_api";
export { Struct } from "apache-beam/proto/google/protobuf/struct";
export { Metadata };

type ClientClass<Client> = new (
  address: string,
  channelCredentials: ReturnType<typeof credentials.createInsecure>,
  options: ClientOptions,
) => Client;

/** A client of one of the runner's services; the caller closes it. */
export function connect<Client>(service: ClientClass<Client>, endpoint: string): Client {
  return new service(endpoint, credentials.createInsecure(), WITHOUT_MESSAGE_LIMIT);
}

/** For a service of which there is no client among the generated ones. */
export function connectTo(endpoint: string): Client {
  return new Client(endpoint, credentials.createInsecure());
}

/** A module comes from Prism in one message, whatever its size. */
export const WITHOUT_MESSAGE_LIMIT = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
};

/** How a runner knows who is calling; `waitForReady`: a service that is not there yet is waited for. */
export function ofWorker(workerId: string, options: { readonly waitForReady?: boolean } = {}): Metadata {
  const metadata = new Metadata(options);
  metadata.set("worker_id", workerId);
  return metadata;
}

/** How long a service may take to be reached, and a call without data to answer. */
export const CALL_MS_MAX = 10_000;

/** Of an error of gRPC, what a reader needs: its status and its text. */
export function statusText(error: unknown): string {
  const { details, message } = error as Partial<ServiceError>;
  return details || message || String(error);
}
