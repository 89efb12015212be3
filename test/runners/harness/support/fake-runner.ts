/** A runner that a test drives: a real gRPC server with the services of Beam's Fn API, on one port. */
import "../../../../transforms/primitives/beam.js";
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  type Elements,
  InstructionRequest,
  type InstructionResponse,
  type LogEntry,
  type LogEntry_List,
  type ProcessBundleDescriptor,
  type ProcessBundleRequest,
  type StateKey,
  type StateRequest,
  StateResponse,
} from "apache-beam/proto/beam_fn_api";
import {
  beamFnControlDefinition,
  beamFnDataDefinition,
  beamFnLoggingDefinition,
  beamFnStateDefinition,
} from "apache-beam/proto/beam_fn_api.grpc-server";
import type { InboundChunk } from "../../../../runners/harness/transport/data-plane.js";

type ControlCall = ServerDuplexStream<InstructionResponse, InstructionRequest>;
type DataCall = ServerDuplexStream<Elements, Elements>;
type StateCall = ServerDuplexStream<StateRequest, StateResponse>;

/** Elements of one message, at the most. */
const PAGE_BYTES = 1 << 20;

export class FakeRunner {
  readonly logs: LogEntry[] = [];
  /** By the text of their state key. */
  readonly bags = new Map<string, Buffer>();
  /** `get` and so on, with the key's text. */
  readonly stateRequests: string[] = [];
  /** Fails each request for state, or those of one kind. */
  stateError = "";
  stateErrorOf: string | undefined;
  /** Does what a request for state asks, and says nothing. */
  isMute = false;
  readonly workerIds = new Set<string>();
  /** What came back, by instruction. */
  readonly received = new Map<string, InboundChunk[]>();
  readonly #server = new Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  readonly #descriptors = new Map<string, ProcessBundleDescriptor>();
  readonly #answers = new Map<string, (response: InstructionResponse) => void>();
  readonly #control = firstOf<ControlCall>();
  readonly #data = firstOf<DataCall>();
  readonly #state = firstOf<StateCall>();
  #instructions = 0;
  #port = 0;

  static async start(): Promise<FakeRunner> {
    const runner = new FakeRunner();
    runner.#addServices();
    runner.#port = await new Promise<number>((resolve, reject) => {
      runner.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    return runner;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Serves the stage when it is asked for. Its ports and services become this runner's. */
  offer(descriptor: ProcessBundleDescriptor): ProcessBundleDescriptor {
    this.#descriptors.set(descriptor.id, descriptor);
    return descriptor;
  }

  /** Resolves with the answer. */
  async ask(
    request: InstructionRequest["request"],
    instructionId = `i${++this.#instructions}`,
  ): Promise<InstructionResponse> {
    const control = await this.#control.value;
    return new Promise((resolve) => {
      this.#answers.set(instructionId, resolve);
      control.write(InstructionRequest.create({ instructionId, request }));
    });
  }

  /** Asks for a bundle of the stage, whose elements the test sends. */
  begin(
    instructionId: string,
    processBundleDescriptorId: string,
    cacheTokens: ProcessBundleRequest["cacheTokens"] = [],
  ): Promise<InstructionResponse> {
    const processBundle = { processBundleDescriptorId, cacheTokens };
    return this.ask({ oneofKind: "processBundle", processBundle }, instructionId);
  }

  /** Resolves when the worker's side has taken the message. */
  async send(instructionId: string, ...chunks: readonly InboundChunk[]): Promise<void> {
    const call = await this.#data.value;
    const elements: Elements = { data: [], timers: [] };
    for (const { transformId, timerFamilyId, data, isLast } of chunks) {
      const common = { instructionId, transformId, isLast };
      if (timerFamilyId === undefined) elements.data.push({ ...common, data });
      else elements.timers.push({ ...common, timerFamilyId, timers: data });
    }
    await new Promise<void>((resolve) => {
      if (call.write(elements)) resolve();
      else call.once("drain", resolve);
    });
  }

  /** Ends the control stream in order. */
  async closeControl(): Promise<void> {
    (await this.#control.value).end();
  }

  /** Takes no more of what the worker sends, until `readData`. */
  async pauseData(): Promise<void> {
    (await this.#data.value).pause();
  }

  async readData(): Promise<void> {
    (await this.#data.value).resume();
  }

  /** Cuts the data stream alone. */
  async cutData(): Promise<void> {
    cut(await this.#data.value);
  }

  /** Cuts the state stream alone. */
  async cutState(): Promise<void> {
    cut(await this.#state.value);
  }

  /** Ends the data stream in order. */
  async endData(): Promise<void> {
    (await this.#data.value).end();
  }

  /** Gone at once, with all its streams. */
  kill(): void {
    this.#server.forceShutdown();
  }

  #addServices(): void {
    this.#server.addService(beamFnControlDefinition, {
      control: (call: ControlCall) => {
        this.#met(call);
        call.on("data", (response: InstructionResponse) => {
          this.#answers.get(response.instructionId)?.(response);
          this.#answers.delete(response.instructionId);
        });
        call.on("end", () => call.end());
        call.on("error", () => undefined);
        this.#control.set(call);
      },
      getProcessBundleDescriptor: (
        call: { request: { processBundleDescriptorId: string } },
        callback: (error: object | null, descriptor?: ProcessBundleDescriptor) => void,
      ) => {
        const descriptor = this.#descriptors.get(call.request.processBundleDescriptorId);
        if (descriptor === undefined) callback({ code: status.NOT_FOUND, details: "no such stage" });
        else callback(null, descriptor);
      },
    });
    this.#server.addService(beamFnDataDefinition, {
      data: (call: DataCall) => {
        this.#met(call);
        call.on("data", (elements: Elements) => this.#receive(elements));
        call.on("end", () => call.end());
        call.on("error", () => undefined);
        this.#data.set(call);
      },
    });
    this.#server.addService(beamFnStateDefinition, {
      state: (call: StateCall) => {
        this.#met(call);
        call.on("data", (request: StateRequest) => {
          const response = this.#answerState(request);
          if (!this.isMute) call.write(response);
        });
        this.#state.set(call);
        call.on("end", () => call.end());
        call.on("error", () => undefined);
      },
    });
    this.#server.addService(beamFnLoggingDefinition, {
      logging: (call: ServerDuplexStream<LogEntry_List, object>) => {
        this.#met(call);
        call.on("data", ({ logEntries }: LogEntry_List) => void this.logs.push(...logEntries));
        call.on("end", () => call.end());
        call.on("error", () => undefined);
      },
    });
  }

  #met(call: { metadata: { get(key: string): unknown[] } }): void {
    this.workerIds.add(`${call.metadata.get("worker_id")}`);
  }

  #receive({ data, timers }: Elements): void {
    const put = (instructionId: string, chunk: InboundChunk) => {
      const chunks = this.received.get(instructionId) ?? [];
      chunks.push(chunk);
      this.received.set(instructionId, chunks);
    };
    for (const { instructionId, transformId, data: bytes, isLast } of data) {
      put(instructionId, { transformId, timerFamilyId: undefined, data: bytes, isLast });
    }
    for (const { instructionId, transformId, timerFamilyId, timers: bytes, isLast } of timers) {
      put(instructionId, { transformId, timerFamilyId, data: bytes, isLast });
    }
  }

  #answerState({ id, stateKey, request }: StateRequest): StateResponse {
    const key = textOf(stateKey!);
    this.stateRequests.push(`${request.oneofKind} ${key}`);
    const isRefused =
      this.stateError !== "" && (this.stateErrorOf ?? request.oneofKind) === request.oneofKind;
    if (isRefused) return StateResponse.create({ id, error: this.stateError });
    const bag = this.bags.get(key) ?? Buffer.alloc(0);
    switch (request.oneofKind) {
      case "get": {
        const from = Number(Buffer.from(request.get.continuationToken).toString() || "0");
        const to = Math.min(bag.length, from + PAGE_BYTES);
        const continuationToken = to < bag.length ? Buffer.from(`${to}`) : Buffer.alloc(0);
        return StateResponse.create({
          id,
          response: { oneofKind: "get", get: { data: bag.subarray(from, to), continuationToken } },
        });
      }
      case "append":
        this.bags.set(key, Buffer.concat([bag, request.append.data]));
        return StateResponse.create({ id, response: { oneofKind: "append", append: {} } });
      default:
        this.bags.delete(key);
        return StateResponse.create({ id, response: { oneofKind: "clear", clear: {} } });
    }
  }
}

function cut(call: { emit(event: "error", error: object): boolean }): void {
  call.emit("error", { code: status.UNAVAILABLE, details: "cut by the test" });
}

/** A state key in a line: kind, names, and bytes as text. */
export function textOf({ type }: StateKey): string {
  const parts =
    type.oneofKind === undefined ? {} : (type as unknown as Record<string, object>)[type.oneofKind]!;
  const text = (value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value);
  return [type.oneofKind, ...Object.values(parts).map(text)].join(" ");
}

/** The first one that comes. */
function firstOf<T>(): { readonly value: Promise<T>; set(value: T): void } {
  let set: (value: T) => void = () => undefined;
  const value = new Promise<T>((resolve) => {
    set = resolve;
  });
  return { value, set };
}
