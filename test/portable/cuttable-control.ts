/** A control service between a worker and its runner, which has the worker's data go through a relay of its own. */
import "../../transforms/primitives/beam.js";
import {
  type ClientDuplexStream,
  credentials,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
} from "@grpc/grpc-js";
import {
  type InstructionRequest,
  type InstructionResponse,
  type ProcessBundleDescriptor,
  RemoteGrpcPort,
} from "apache-beam/proto/beam_fn_api";
import { BeamFnControlClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { beamFnControlDefinition } from "apache-beam/proto/beam_fn_api.grpc-server";
import { Relay } from "./relay.js";

const SIZES = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

type Call = ServerDuplexStream<InstructionResponse, InstructionRequest>;

/** For one worker. What the runner says of its control service and itself passes unchanged. */
export class CuttableControl {
  readonly #server = new Server(SIZES);
  readonly #data: Relay;
  #runner: BeamFnControlClient | undefined;
  #port = 0;

  private constructor(data: Relay) {
    this.#data = data;
    this.#server.addService(beamFnControlDefinition, {
      control: (call: Call) => this.#pass(call),
      getProcessBundleDescriptor: (
        call: { request: { processBundleDescriptorId: string }; metadata: Metadata },
        answer: (error: object | null, descriptor?: ProcessBundleDescriptor) => void,
      ) => {
        this.#runner!.getProcessBundleDescriptor(call.request, call.metadata, (error, descriptor) =>
          answer(error, descriptor && this.#redirected(descriptor)),
        );
      },
    });
  }

  static async listen(): Promise<CuttableControl> {
    const control = new CuttableControl(await Relay.listen());
    control.#port = await new Promise<number>((resolve, reject) => {
      control.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    return control;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Where the runner's control service is. */
  set target(endpoint: string) {
    this.#runner?.close();
    this.#runner = new BeamFnControlClient(endpoint, credentials.createInsecure(), {
      ...SIZES,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** The data stream alone. */
  cut(): void {
    this.#data.cut();
  }

  close(): void {
    this.#runner?.close();
    this.#server.forceShutdown();
    this.#data.close();
  }

  #pass(worker: Call): void {
    const runner: ClientDuplexStream<InstructionResponse, InstructionRequest> = this.#runner!.control(
      worker.metadata,
    );
    runner.on("data", (request: InstructionRequest) => {
      if (request.request.oneofKind === "register") {
        for (const one of request.request.register.processBundleDescriptor) this.#redirected(one);
      }
      worker.write(request);
    });
    runner.on("end", () => worker.end());
    runner.on("error", (error) => worker.emit("error", error));
    worker.on("data", (response: InstructionResponse) => runner.write(response));
    worker.on("end", () => runner.end());
    worker.on("error", () => runner.cancel());
    worker.on("cancelled", () => runner.cancel());
  }

  #redirected(descriptor: ProcessBundleDescriptor): ProcessBundleDescriptor {
    for (const { spec } of Object.values(descriptor.transforms)) {
      if (!spec!.urn.startsWith("beam:runner:")) continue;
      const port = RemoteGrpcPort.fromBinary(spec!.payload);
      port.apiServiceDescriptor!.url = this.#through(port.apiServiceDescriptor!.url);
      spec!.payload = RemoteGrpcPort.toBinary(port);
    }
    const timers = descriptor.timerApiServiceDescriptor;
    if (timers?.url) timers.url = this.#through(timers.url);
    return descriptor;
  }

  #through(url: string): string {
    this.#data.target = url;
    return this.#data.endpoint;
  }
}
