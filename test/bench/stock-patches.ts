/**
 * What the SDK's own worker needs to come to its end on a job server with the right elements. To be imported before
 * anything else of the SDK; without it bundles hang, or lose or repeat elements.
 */
import "../../transforms/primitives/node-util.js";
import { createRequire } from "node:module";
import type { PTransform } from "apache-beam/proto/beam_runner_api";
import type { IDataChannel, MultiplexingDataChannel } from "apache-beam/worker/data";
import type { IOperator, OperatorContext, ProcessResult } from "apache-beam/worker/operators";

// Its modules are CommonJS, and only their own objects, not an import's view of them, can be changed.
const require = createRequire(import.meta.url);

type Client = new (address: string, credentials: object, options: object, more: object) => object;

/** A message of more than 4 MB ended the channel, and its bundle was never answered. */
function withoutMessageLimit(clients: Record<string, Client>, name: string): void {
  const Stock = clients[name]!;
  const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
  clients[name] = class extends Stock {
    constructor(address: string, credentials: object, options: object, more: object) {
      super(address, credentials, { ...options, ...unlimited }, more);
    }
  };
}

/** Nobody listened to the control stream's error, with which the job server ends it: the process died of it. */
function withEndOfControl(clients: Record<string, Client>): void {
  type Stream = { on(event: "error", listener: (error: Error) => void): void };
  type Controlled = { control(...args: unknown[]): Stream };
  const client = clients["BeamFnControlClient"]!.prototype as Controlled;
  const { control } = client;
  client.control = function (...args) {
    const stream = control.apply(this, args);
    stream.on("error", ({ message }) => process.stderr.write(`the control stream ended: ${message}\n`));
    return stream;
  };
}

const clients = require("apache-beam/proto/org/apache/beam/model/fn_execution/v1/beam_fn_api.grpc-client");
for (const name of ["BeamFnControlClient", "BeamFnDataClient", "BeamFnStateClient"]) {
  withoutMessageLimit(clients, name);
}
withEndOfControl(clients);

require("apache-beam"); // its index comes before the modules below it
const { Context } = require("apache-beam/coders/coders") as typeof import("apache-beam/coders/coders");
const { RemoteGrpcPort } =
  require("apache-beam/proto/beam_fn_api") as typeof import("apache-beam/proto/beam_fn_api");
const data = require("apache-beam/worker/data") as typeof import("apache-beam/worker/data");
const operators = require("apache-beam/worker/operators") as typeof import("apache-beam/worker/operators");
const { Writer } = createRequire(require.resolve("apache-beam"))("protobufjs") as {
  Writer: new () => { readonly len: number; finish(): Uint8Array };
};

const FLUSH_BYTES = 1_000_000;

/** A buffer was sent again with each element that came before the sending was over. */
class OnceSendingSink implements IOperator {
  readonly #data: MultiplexingDataChannel;
  readonly #bundle: () => string;
  readonly #coder: ReturnType<OperatorContext["pipelineContext"]["getCoder"]>;
  #channel: IDataChannel | undefined;
  #buffer = new Writer();

  constructor(
    readonly transformId: string,
    { spec }: PTransform,
    context: OperatorContext,
  ) {
    const port = RemoteGrpcPort.fromBinary(spec!.payload);
    this.#data = context.getDataChannel(port.apiServiceDescriptor!.url);
    this.#bundle = context.getBundleId;
    this.#coder = context.pipelineContext.getCoder(port.coderId);
  }

  async startBundle(): Promise<void> {
    this.#channel = this.#data.getSendChannel(this.#bundle(), this.transformId);
    this.#buffer = new Writer();
  }

  process(element: unknown): ProcessResult {
    this.#coder.encode(element, this.#buffer as never, Context.needsDelimiters);
    return this.#buffer.len < FLUSH_BYTES ? operators.NonPromise : this.#flush();
  }

  async finishBundle(): Promise<void> {
    if (this.#buffer.len > 0) await this.#flush();
    this.#channel!.close();
  }

  #flush(): Promise<void> {
    const full = this.#buffer;
    this.#buffer = new Writer();
    return this.#channel!.sendData(full.finish());
  }
}
operators.registerOperator("beam:runner:sink:v1", OnceSendingSink);

/** Messages of a bundle were read beside each other, and its end was believed before they were through. */
const { registerConsumer } = data.MultiplexingDataChannel.prototype;
data.MultiplexingDataChannel.prototype.registerConsumer = function (bundle, transform, consumer) {
  let read: Promise<void> = Promise.resolve();
  const inOrder: IDataChannel = {
    ...consumer,
    sendData: (message) => {
      read = read.then(() => consumer.sendData(message));
      return read;
    },
    // of a message that failed the bundle is told by onError
    close: () => void read.then(consumer.close, () => undefined),
  };
  return registerConsumer.call(this, bundle, transform, inOrder);
};
