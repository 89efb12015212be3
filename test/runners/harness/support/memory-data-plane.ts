/** A data plane without a network: a test puts in what a runner would send, and reads what came. */
import type {
  DataPlane,
  InboundChunk,
  InboundChunks,
  OutboundChunk,
} from "../../../../runners/harness/transport/data-plane.js";

interface Inbox {
  readonly messages: (readonly InboundChunk[])[];
  wake: () => void;
  lost: Error | undefined;
}

export class MemoryDataPlane implements DataPlane {
  /** What was sent, by instruction, in order. */
  readonly sent = new Map<string, OutboundChunk[]>();
  /** How many messages carried it, by instruction. */
  readonly messages = new Map<string, number>();
  readonly abandoned: string[] = [];
  readonly opened: string[] = [];
  /** Bytes that were given to `send` and not taken yet, at the most. */
  unsentMax = 0;
  /** How long the runner takes for each message. */
  takesMs = 0;
  sendError: Error | undefined;
  readonly #inboxes = new Map<string, Inbox>();
  #unsent = 0;

  /** One message. */
  put(instructionId: string, ...chunks: readonly InboundChunk[]): void {
    const inbox = this.#inbox(instructionId);
    inbox.messages.push(chunks);
    inbox.wake();
  }

  open(endpoint: string): void {
    this.opened.push(endpoint);
  }

  /** From now on nothing comes for the instruction but this. */
  lose(instructionId: string, error: Error): void {
    const inbox = this.#inbox(instructionId);
    inbox.lost = error;
    inbox.wake();
  }

  receive(_endpoint: string, instructionId: string): InboundChunks {
    const inbox = this.#inbox(instructionId);
    return {
      next: async () => {
        for (;;) {
          const message = inbox.messages.shift();
          if (message !== undefined) return message;
          if (inbox.lost !== undefined) throw inbox.lost;
          await new Promise<void>((resolve) => {
            inbox.wake = resolve;
          });
        }
      },
      release: () => void this.#inboxes.delete(instructionId),
    };
  }

  async send(_endpoint: string, instructionId: string, chunks: readonly OutboundChunk[]): Promise<void> {
    const bytes = chunks.reduce((sum, { data }) => sum + data.length, 0);
    this.#unsent += bytes;
    this.unsentMax = Math.max(this.unsentMax, this.#unsent);
    await new Promise((resolve) => setTimeout(resolve, this.takesMs));
    this.#unsent -= bytes;
    if (this.sendError !== undefined) throw this.sendError;
    const sent = this.sent.get(instructionId) ?? [];
    sent.push(...chunks);
    this.messages.set(instructionId, (this.messages.get(instructionId) ?? 0) + 1);
    this.sent.set(instructionId, sent);
  }

  abandon(instructionId: string): void {
    this.abandoned.push(instructionId);
  }

  close(): void {}

  #inbox(instructionId: string): Inbox {
    let inbox = this.#inboxes.get(instructionId);
    if (inbox === undefined) {
      inbox = { messages: [], wake: () => undefined, lost: undefined };
      this.#inboxes.set(instructionId, inbox);
    }
    return inbox;
  }
}
