/** Elements and timers between a worker and its runner: one stream a service, shared by all bundles. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import type { Elements } from "apache-beam/proto/beam_fn_api";
import { BeamFnDataClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { CLIENT_OPTIONS, PLAINTEXT, RunnerStream, StreamLostError, workerMetadata } from "./runner-stream.js";

/**
 * Unread bytes of all bundles of a stream from which it is read no further, so that the runner is held back; read
 * again at half. A bundle with unread bytes goes on without the stream, so it frees them; and bytes for a bundle
 * that nobody has asked for yet are freed when its instruction comes, which it does on another stream.
 */
export const UNREAD_BYTES_MAX = 64 << 20;

/** Instructions of which late messages are known to be late. */
const ABANDONED_MAX = 1_000;

/** A piece of what a bundle reads or writes at one port. */
export interface InboundChunk {
  readonly transformId: string;
  /** Of timers. */
  readonly timerFamilyId: string | undefined;
  /** Encoded elements or timers, one after the other. */
  readonly data: Uint8Array;
  /** Nothing follows at this port. */
  readonly isLast: boolean;
}

export type OutboundChunk = InboundChunk;

/** What comes for one instruction. */
export interface InboundChunks {
  /**
   * What one message holds, in the order of arrival. It never ends by itself: whoever reads knows its last ones.
   * @throws StreamLostError
   */
  next(): Promise<readonly InboundChunk[]>;
  /** Nothing more is read. */
  release(): void;
}

export interface DataPlane {
  /** Opens the stream to a service, if it is not open. */
  open(endpoint: string): void;
  /** What comes, and what has come before this call. */
  receive(endpoint: string, instructionId: string): InboundChunks;
  /**
   * Resolves when the message is on its way, later where the runner takes its time. Messages leave in the order of
   * the calls. @throws StreamLostError
   */
  send(endpoint: string, instructionId: string, chunks: readonly OutboundChunk[]): Promise<void>;
  /** Nobody will read what still comes for it. */
  abandon(instructionId: string): void;
  close(): void;
}

export interface DataPlaneOptions {
  readonly unreadBytesMax?: number;
  /** Told once of each stream that breaks; of one that ends in order, nothing. */
  readonly onLost?: (error: StreamLostError) => void;
}

export class GrpcDataPlane implements DataPlane {
  readonly #streams = new Map<string, DataStream>();

  constructor(
    private readonly workerId: string,
    private readonly options: DataPlaneOptions = {},
  ) {}

  open(endpoint: string): void {
    this.#stream(endpoint);
  }

  receive(endpoint: string, instructionId: string): InboundChunks {
    return this.#stream(endpoint).receive(instructionId);
  }

  send(endpoint: string, instructionId: string, chunks: readonly OutboundChunk[]): Promise<void> {
    return this.#stream(endpoint).send(instructionId, chunks);
  }

  abandon(instructionId: string): void {
    for (const stream of this.#streams.values()) stream.abandon(instructionId);
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.close();
  }

  #stream(endpoint: string): DataStream {
    let stream = this.#streams.get(endpoint);
    if (stream === undefined) {
      stream = new DataStream(endpoint, this.workerId, this.options);
      this.#streams.set(endpoint, stream);
    }
    return stream;
  }
}

interface Inbox {
  /** Message by message. */
  readonly messages: (readonly InboundChunk[])[];
  wake: () => void;
}

class DataStream {
  readonly #stream: RunnerStream<Elements, Elements>;
  readonly #endpoint: string;
  readonly #unreadBytesMax: number;
  readonly #onLost: DataPlaneOptions["onLost"];
  readonly #inboxes = new Map<string, Inbox>();
  readonly #abandoned = new Set<string>();
  #unread = 0;
  #isPaused = false;
  #lost: StreamLostError | undefined;

  constructor(endpoint: string, workerId: string, options: DataPlaneOptions) {
    this.#endpoint = endpoint;
    this.#unreadBytesMax = options.unreadBytesMax ?? UNREAD_BYTES_MAX;
    this.#onLost = options.onLost;
    const client = new BeamFnDataClient(endpoint, PLAINTEXT, CLIENT_OPTIONS);
    this.#stream = new RunnerStream("data", endpoint, client, () => client.data(workerMetadata(workerId)), {
      message: (elements) => this.#arrived(elements),
      end: (error) => this.#ended(error),
    });
  }

  receive(instructionId: string): InboundChunks {
    const inbox = this.#inbox(instructionId);
    return {
      next: async () => {
        for (;;) {
          const message = inbox.messages.shift();
          if (message !== undefined) {
            this.#setUnread(this.#unread - bytesOf(message));
            return message;
          }
          if (this.#lost !== undefined) throw this.#lost;
          await new Promise<void>((resolve) => {
            inbox.wake = resolve;
          });
        }
      },
      release: () => this.#forget(instructionId),
    };
  }

  send(instructionId: string, chunks: readonly OutboundChunk[]): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const elements: Elements = { data: [], timers: [] };
    for (const { transformId, timerFamilyId, data, isLast } of chunks) {
      const common = { instructionId, transformId, isLast };
      if (timerFamilyId === undefined) elements.data.push({ ...common, data });
      else elements.timers.push({ ...common, timerFamilyId, timers: data });
    }
    return this.#stream.write(elements);
  }

  abandon(instructionId: string): void {
    this.#abandoned.add(instructionId);
    if (this.#abandoned.size > ABANDONED_MAX) {
      const [oldest] = this.#abandoned;
      this.#abandoned.delete(oldest!);
    }
    this.#forget(instructionId);
  }

  close(): void {
    this.#stream.close();
  }

  /** A message may hold chunks of several bundles. */
  #arrived({ data, timers }: Elements): void {
    const messages = new Map<string, InboundChunk[]>();
    const add = (instructionId: string, chunk: InboundChunk) => {
      const message = messages.get(instructionId);
      if (message === undefined) messages.set(instructionId, [chunk]);
      else message.push(chunk);
    };
    for (const { instructionId, transformId, data: bytes, isLast } of data) {
      add(instructionId, { transformId, timerFamilyId: undefined, data: bytes, isLast });
    }
    for (const { instructionId, transformId, timerFamilyId, timers: bytes, isLast } of timers) {
      add(instructionId, { transformId, timerFamilyId, data: bytes, isLast });
    }
    for (const [instructionId, message] of messages) this.#put(instructionId, message);
  }

  #put(instructionId: string, message: readonly InboundChunk[]): void {
    if (this.#abandoned.has(instructionId)) return;
    const inbox = this.#inbox(instructionId);
    inbox.messages.push(message);
    this.#setUnread(this.#unread + bytesOf(message));
    inbox.wake();
  }

  #ended(error: StreamLostError | undefined): void {
    this.#lost = error ?? new StreamLostError("data", this.#endpoint, "it was closed");
    for (const { wake } of this.#inboxes.values()) wake();
    if (error !== undefined) this.#onLost?.(error);
  }

  #forget(instructionId: string): void {
    const inbox = this.#inboxes.get(instructionId);
    if (inbox === undefined) return;
    this.#inboxes.delete(instructionId);
    const unread = inbox.messages.splice(0).reduce((sum, message) => sum + bytesOf(message), 0);
    this.#setUnread(this.#unread - unread);
  }

  #inbox(instructionId: string): Inbox {
    let inbox = this.#inboxes.get(instructionId);
    if (inbox === undefined) {
      inbox = { messages: [], wake: () => undefined };
      this.#inboxes.set(instructionId, inbox);
    }
    return inbox;
  }

  #setUnread(bytes: number): void {
    this.#unread = bytes;
    const isPaused = this.#isPaused ? bytes > this.#unreadBytesMax / 2 : bytes > this.#unreadBytesMax;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#stream.pause();
    else this.#stream.resume();
  }
}

function bytesOf(chunks: readonly InboundChunk[]): number {
  return chunks.reduce((sum, { data }) => sum + data.length, 0);
}
