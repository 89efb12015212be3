/** One stream between a worker and its runner: messages one way and the other, and one clear end. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import {
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

/** How long a worker waits for its runner's services to answer. */
const START_WAIT_MS = 60_000;

/** How long it waits for the runner to close its side too. */
const CLOSE_WAIT_MS = 1_000;

/** Messages of any size; a connection of which nothing is heard is looked after. */
export const CLIENT_OPTIONS: ClientOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 20_000,
  // each stream has a connection, and so a flow control window, of its own
  "grpc.use_local_subchannel_pool": 1,
};

export const PLAINTEXT = credentials.createInsecure();

/** What every stream of a worker tells of it. */
export function workerMetadata(workerId: string): Metadata {
  const metadata = new Metadata();
  metadata.set("worker_id", workerId);
  return metadata;
}

/** What all generated clients have. */
interface AnyClient {
  waitForReady(deadline: number, callback: (error?: Error) => void): void;
  close(): void;
}

/** A stream was lost, or never came about. */
export class StreamLostError extends Error {
  override readonly name = "StreamLostError";

  constructor(what: string, endpoint: string, why: string) {
    super(`the runner's ${what} stream at ${endpoint} was lost: ${why}`);
  }
}

export interface StreamEvents<In> {
  message(message: In): void;
  /** Called once. Undefined: the runner has closed the stream in order, or `close` was called. */
  end(error: StreamLostError | undefined): void;
}

/** Opens when the service answers; until then messages wait. */
export class RunnerStream<Out, In> {
  readonly #client: AnyClient;
  readonly #what: string;
  readonly #endpoint: string;
  readonly #opened: Promise<ClientDuplexStream<Out, In>>;
  readonly #events: StreamEvents<In>;
  #call: ClientDuplexStream<Out, In> | undefined;
  /** What rejects the writes under way: a call that ends forgets their callbacks. */
  readonly #writes = new Set<(error: StreamLostError) => void>();
  #isPaused = false;
  #hasEnded = false;
  #isClosed = false;

  constructor(
    what: string,
    endpoint: string,
    client: AnyClient,
    open: () => ClientDuplexStream<Out, In>,
    events: StreamEvents<In>,
  ) {
    this.#what = what;
    this.#endpoint = endpoint;
    this.#client = client;
    this.#events = events;
    this.#opened = this.#open(open);
    this.#opened.catch((error: StreamLostError) => this.#end(error));
  }

  /** Resolves when the message is on its way to the runner. @throws StreamLostError */
  async write(message: Out): Promise<void> {
    const call = this.#call ?? (await this.#opened);
    if (this.#hasEnded) throw this.#lost("it has ended");
    await new Promise<void>((resolve, reject) => {
      this.#writes.add(reject);
      call.write(message, (error: Error | null | undefined) => {
        this.#writes.delete(reject);
        if (error) reject(this.#lost(error.message));
        else resolve();
      });
    });
  }

  /** Takes no more messages until `resume`: the runner is held back. */
  pause(): void {
    this.#isPaused = true;
    this.#call?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#call?.resume();
  }

  /** Says that nothing follows, and lets go of the connection when what was written is sent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const call = this.#call;
    if (call === undefined || this.#hasEnded) {
      this.#end(undefined);
      return;
    }
    // Cancelled at once, the last messages could be lost on their way.
    setTimeout(() => call.cancel(), CLOSE_WAIT_MS).unref();
    call.end();
  }

  async #open(open: () => ClientDuplexStream<Out, In>): Promise<ClientDuplexStream<Out, In>> {
    await new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(Date.now() + START_WAIT_MS, (error) => {
        if (error === undefined) resolve();
        else reject(this.#lost(`nobody answers there (waited ${START_WAIT_MS / 1000} s)`));
      });
    });
    if (this.#isClosed) throw this.#lost("it was closed");
    const call = open();
    this.#call = call;
    call.on("data", (message: In) => this.#events.message(message));
    call.on("end", () => this.#end(undefined));
    call.on("error", (error: ServiceError) => this.#end(this.#lost(reasonOf(error))));
    call.on("close", () => {
      for (const reject of this.#writes) reject(this.#lost("it has ended"));
      this.#writes.clear();
    });
    // In grpc-js a call that gets no message must still be read, or its end is never seen.
    if (this.#isPaused) call.pause();
    return call;
  }

  #end(error: StreamLostError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#client.close();
    this.#events.end(this.#isClosed ? undefined : error);
  }

  #lost(why: string): StreamLostError {
    return new StreamLostError(this.#what, this.#endpoint, why);
  }
}

function reasonOf({ code, details }: ServiceError): string {
  return `${status[code] ?? code}: ${details}`;
}
