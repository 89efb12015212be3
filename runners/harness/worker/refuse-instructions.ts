/** Tells the runner why a worker could not start: each instruction is answered with the reason. */
import {
  BeamFnControlClient,
  connect,
  type InstructionRequest,
  InstructionResponse,
  ofWorker,
  type ProcessBundleDescriptor,
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
  const streams = new DataStreams(client, workerId);
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  return new Promise((resolve) => {
    const end = () => {
      signal.removeEventListener("abort", cancel);
      streams.close();
      client.close();
      resolve();
    };
    stream.on("data", async (request: InstructionRequest) => {
      await streams.openFor(request);
      stream.write(InstructionResponse.create({ instructionId: request.instructionId, error: reason }));
    });
    stream.on("end", () => stream.end());
    stream.on("error", end); // whatever the status: nobody is there to be told any more
    stream.on("status", end);
  });
}

/** Java's runners wait for a worker's data streams before they read any answer. */
class DataStreams {
  readonly #client: BeamFnControlClient;
  readonly #workerId: string;
  readonly #closers: (() => void)[] = [];
  #isClosed = false;

  constructor(client: BeamFnControlClient, workerId: string) {
    this.#client = client;
    this.#workerId = workerId;
  }

  /** Opens what the instruction's stage would use. Never rejects: without the streams the answer still goes out. */
  async openFor({ request }: InstructionRequest): Promise<void> {
    try {
      if (request.oneofKind === "register") await this.#open(request.register.processBundleDescriptor);
      if (request.oneofKind !== "processBundle") return;
      const descriptor = await this.#descriptor(request.processBundle.processBundleDescriptorId);
      if (descriptor !== undefined) await this.#open([descriptor]);
    } catch {
      // a stage that cannot be read either: its answer says why the worker is not there at all
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const close of this.#closers) close();
  }

  async #open(descriptors: readonly ProcessBundleDescriptor[]): Promise<void> {
    // only now: whoever can start a worker does not need them here
    const [{ GrpcDataPlane }, { dataEndpoints }] = await Promise.all([
      import("../transport/data-plane.js"),
      import("../descriptor/stage-ports.js"),
    ]);
    if (this.#isClosed) return;
    const data = new GrpcDataPlane(this.#workerId);
    this.#closers.push(() => data.close());
    for (const endpoint of descriptors.flatMap((one) => [...dataEndpoints(one)])) data.open(endpoint);
  }

  #descriptor(id: string): Promise<ProcessBundleDescriptor | undefined> {
    return new Promise((resolve) => {
      const request = { processBundleDescriptorId: id };
      this.#client.getProcessBundleDescriptor(request, ofWorker(this.#workerId), (_, answer) =>
        resolve(answer),
      );
    });
  }
}
