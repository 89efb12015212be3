/** Tells the runner why a worker could not start: each instruction is answered with the reason. */
import {
  BeamFnControlClient,
  connect,
  type InstructionRequest,
  InstructionResponse,
  ofWorker,
} from "./worker-grpc.js";

export interface Refusal {
  readonly controlEndpoint: string;
  readonly workerId: string;
  readonly reason: string;
  readonly signal: AbortSignal;
}

/**
 * Job servers wait for a worker's control stream without a limit, and have no other way to hear of a failed start:
 * a worker that simply ended would leave the job running for ever. Resolves when the runner closes the stream,
 * also when it cannot be reached at all.
 */
export function refuseInstructions({ controlEndpoint, workerId, reason, signal }: Refusal): Promise<void> {
  const client = connect(BeamFnControlClient, controlEndpoint);
  const stream = client.control(ofWorker(workerId));
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  return new Promise((resolve) => {
    const end = () => {
      signal.removeEventListener("abort", cancel);
      client.close();
      resolve();
    };
    stream.on("data", ({ instructionId }: InstructionRequest) => {
      stream.write(InstructionResponse.create({ instructionId, error: reason }));
    });
    stream.on("end", () => stream.end());
    stream.on("error", end); // whatever the status: nobody is there to be told any more
    stream.on("status", end);
  });
}
