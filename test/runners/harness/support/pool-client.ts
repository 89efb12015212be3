/** What a runner asks of a worker pool. */
import "../../../../transforms/primitives/beam.js";
import { Client, credentials } from "@grpc/grpc-js";
import { StartWorkerRequest, StopWorkerRequest } from "apache-beam/proto/beam_fn_api";
import { beamFnExternalWorkerPoolDefinition } from "apache-beam/proto/beam_fn_api.grpc-server";

/** Over a connection of its own, as each runner has one. */
export class PoolClient {
  readonly #client: Client;

  constructor(endpoint: string) {
    this.#client = new Client(endpoint, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** The error that the pool answers; empty when it has started the worker. */
  start(workerId: string, controlEndpoint: string | undefined): Promise<string> {
    const request = StartWorkerRequest.create({
      workerId,
      ...(controlEndpoint === undefined ? {} : { controlEndpoint: { url: controlEndpoint } }),
    });
    return this.#call("startWorker", request);
  }

  /** Resolves when the worker has ended. */
  stop(workerId: string): Promise<string> {
    return this.#call("stopWorker", StopWorkerRequest.create({ workerId }));
  }

  close(): void {
    this.#client.close();
  }

  #call(method: "startWorker" | "stopWorker", request: object): Promise<string> {
    const { path, requestSerialize, responseDeserialize } = beamFnExternalWorkerPoolDefinition[method];
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize as never,
        responseDeserialize as (bytes: Buffer) => { error: string },
        request,
        (error, answer) => (error === null ? resolve(answer!.error) : reject(error)),
      );
    });
  }
}
