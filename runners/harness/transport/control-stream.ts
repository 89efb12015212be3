/** The stream of instructions: a runner's requests in their order, and the worker's answers in any. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import type {
  InstructionRequest,
  InstructionResponse,
  ProcessBundleDescriptor,
} from "apache-beam/proto/beam_fn_api";
import { BeamFnControlClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import {
  CLIENT_OPTIONS,
  PLAINTEXT,
  RunnerStream,
  type StreamLostError,
  workerMetadata,
} from "./runner-stream.js";

export interface ControlStream {
  /** Undefined: the runner has closed the stream, or `close` was called. @throws StreamLostError */
  next(): Promise<InstructionRequest | undefined>;
  /** Resolves when the answer is on its way. @throws StreamLostError */
  respond(response: InstructionResponse): Promise<void>;
  /** Asks for a stage that was not registered. @throws when the runner has none of that id. */
  descriptor(id: string): Promise<ProcessBundleDescriptor>;
  close(): void;
}

export function openControl(endpoint: string, workerId: string): ControlStream {
  return new GrpcControlStream(endpoint, workerId);
}

class GrpcControlStream implements ControlStream {
  readonly #stream: RunnerStream<InstructionResponse, InstructionRequest>;
  readonly #client: BeamFnControlClient;
  readonly #workerId: string;
  readonly #requests: InstructionRequest[] = [];
  #ended: { readonly error: StreamLostError | undefined } | undefined;
  #wake: () => void = () => undefined;

  constructor(endpoint: string, workerId: string) {
    this.#workerId = workerId;
    this.#client = new BeamFnControlClient(endpoint, PLAINTEXT, CLIENT_OPTIONS);
    const client = this.#client;
    this.#stream = new RunnerStream(
      "control",
      endpoint,
      client,
      () => client.control(workerMetadata(workerId)),
      {
        message: (request) => {
          this.#requests.push(request);
          this.#wake();
        },
        end: (error) => {
          this.#ended = { error };
          this.#wake();
        },
      },
    );
  }

  async next(): Promise<InstructionRequest | undefined> {
    for (;;) {
      const request = this.#requests.shift();
      if (request !== undefined) return request;
      if (this.#ended?.error !== undefined) throw this.#ended.error;
      if (this.#ended !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  respond(response: InstructionResponse): Promise<void> {
    return this.#stream.write(response);
  }

  descriptor(processBundleDescriptorId: string): Promise<ProcessBundleDescriptor> {
    return new Promise((resolve, reject) => {
      const metadata = workerMetadata(this.#workerId);
      this.#client.getProcessBundleDescriptor(
        { processBundleDescriptorId },
        metadata,
        (error, descriptor) => {
          if (descriptor !== undefined) resolve(descriptor);
          else {
            const why = error?.details ?? "no answer";
            reject(new Error(`the runner gave no stage "${processBundleDescriptorId}": ${why}`));
          }
        },
      );
    });
  }

  close(): void {
    this.#stream.close();
  }
}
