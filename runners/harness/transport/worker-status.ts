/** Tells a runner what a worker is doing, when it asks. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import type { WorkerStatusRequest, WorkerStatusResponse } from "apache-beam/proto/beam_fn_api";
import { BeamFnWorkerStatusClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { CLIENT_OPTIONS, PLAINTEXT, RunnerStream, workerMetadata } from "./runner-stream.js";

/** Answers until the stream ends, which costs nothing but the answers. */
export function answerStatus(endpoint: string, workerId: string, describe: () => string): { close(): void } {
  const client = new BeamFnWorkerStatusClient(endpoint, PLAINTEXT, CLIENT_OPTIONS);
  const open = () => client.workerStatus(workerMetadata(workerId));
  const stream = new RunnerStream<WorkerStatusResponse, WorkerStatusRequest>(
    "status",
    endpoint,
    client,
    open,
    {
      message: ({ id }) => {
        stream.write({ id, error: "", statusInfo: describe() }).catch(() => undefined); // its end says it
      },
      end: () => undefined,
    },
  );
  return stream;
}
