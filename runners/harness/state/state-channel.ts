/** State and side inputs as a runner keeps them: bytes by state key, over one stream a service. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import type { StateKey, StateRequest, StateResponse } from "apache-beam/proto/beam_fn_api";
import { BeamFnStateClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import {
  CLIENT_OPTIONS,
  PLAINTEXT,
  RunnerStream,
  StreamLostError,
  workerMetadata,
} from "../transport/runner-stream.js";

/** Bytes of one cell or one window of a side input: all of it lies in memory while its bundle runs. */
export const STATE_BYTES_MAX = 512 << 20;

export interface StateChannel {
  /** Everything under the key, page after page. @throws when the runner cannot give it, or it is too large. */
  get(instructionId: string, key: StateKey): Promise<Uint8Array>;
  /** @throws when the runner cannot take it. */
  append(instructionId: string, key: StateKey, data: Uint8Array): Promise<void>;
  /** @throws when the runner cannot do it. */
  clear(instructionId: string, key: StateKey): Promise<void>;
}

export interface StateChannelOptions {
  readonly stateBytesMax?: number | undefined;
  /** Told when the stream breaks; when it ends in order, nothing. */
  readonly onLost?: (error: StreamLostError) => void;
}

interface Waiting {
  readonly key: StateKey;
  resolve(response: StateResponse): void;
  reject(error: Error): void;
}

/** Requests leave in the order of the calls, many at a time; answers find theirs by id. */
export class GrpcStateChannel implements StateChannel {
  readonly #stream: RunnerStream<StateRequest, StateResponse>;
  readonly #endpoint: string;
  readonly #bytesMax: number;
  readonly #onLost: StateChannelOptions["onLost"];
  readonly #waiting = new Map<string, Waiting>();
  #requests = 0;
  #lost: StreamLostError | undefined;

  constructor(endpoint: string, workerId: string, options: StateChannelOptions = {}) {
    this.#endpoint = endpoint;
    this.#bytesMax = options.stateBytesMax ?? STATE_BYTES_MAX;
    this.#onLost = options.onLost;
    const client = new BeamFnStateClient(endpoint, PLAINTEXT, CLIENT_OPTIONS);
    this.#stream = new RunnerStream("state", endpoint, client, () => client.state(workerMetadata(workerId)), {
      message: (response) => this.#answered(response),
      end: (error) => this.#ended(error),
    });
  }

  async get(instructionId: string, key: StateKey): Promise<Uint8Array> {
    const pages: Uint8Array[] = [];
    let bytes = 0;
    let continuationToken: Uint8Array = new Uint8Array();
    do {
      const request = { oneofKind: "get", get: { continuationToken } } as const;
      const { response } = await this.#ask(instructionId, key, request);
      if (response.oneofKind !== "get")
        throw new Error(`${nameOf(key)} was answered by ${response.oneofKind}`);
      pages.push(response.get.data);
      bytes += response.get.data.length;
      this.#mustFit(key, bytes);
      continuationToken = response.get.continuationToken;
    } while (continuationToken.length > 0);
    return pages.length === 1 ? pages[0]! : Buffer.concat(pages);
  }

  async append(instructionId: string, key: StateKey, data: Uint8Array): Promise<void> {
    this.#mustFit(key, data.length); // it could not be read again
    await this.#ask(instructionId, key, { oneofKind: "append", append: { data } });
  }

  async clear(instructionId: string, key: StateKey): Promise<void> {
    await this.#ask(instructionId, key, { oneofKind: "clear", clear: {} });
  }

  close(): void {
    this.#stream.close();
  }

  #mustFit(key: StateKey, bytes: number): void {
    if (bytes <= this.#bytesMax) return;
    throw new Error(`${nameOf(key)} must have at most ${this.#bytesMax} bytes (stateBytesMax), got ${bytes}`);
  }

  #ask(instructionId: string, stateKey: StateKey, request: StateRequest["request"]): Promise<StateResponse> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const id = `${++this.#requests}`;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { key: stateKey, resolve, reject });
      this.#stream.write({ id, instructionId, stateKey, request }).catch((error: Error) => {
        this.#waiting.delete(id);
        reject(error);
      });
    });
  }

  #answered(response: StateResponse): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if (response.error === "") waiting?.resolve(response);
    else waiting?.reject(new Error(`the runner refused ${nameOf(waiting.key)}: ${response.error}`));
  }

  #ended(error: StreamLostError | undefined): void {
    const lost = error ?? new StreamLostError("state", this.#endpoint, "it was closed");
    this.#lost = lost;
    for (const { reject } of this.#waiting.values()) reject(lost);
    this.#waiting.clear();
    if (error !== undefined) this.#onLost?.(error);
  }
}

/** Whose state it is, in words. */
function nameOf({ type }: StateKey): string {
  switch (type.oneofKind) {
    case "bagUserState":
      return `state "${type.bagUserState.userStateId}" of step "${type.bagUserState.transformId}"`;
    case "iterableSideInput":
      return sideInputName(type.iterableSideInput);
    case "multimapSideInput":
      return `the values of a key of ${sideInputName(type.multimapSideInput)}`;
    case "multimapKeysSideInput":
      return `the keys of ${sideInputName(type.multimapKeysSideInput)}`;
    default:
      return `state of the kind ${type.oneofKind}`;
  }
}

function sideInputName(key: { readonly transformId: string; readonly sideInputId: string }): string {
  return `side input "${key.sideInputId}" of step "${key.transformId}"`;
}
