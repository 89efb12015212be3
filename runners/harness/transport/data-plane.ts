export interface InboundChunk {
  readonly transformId: string;
  readonly timerFamilyId: string | undefined;
  readonly data: Uint8Array;
  readonly isLast: boolean;
}
export type OutboundChunk = InboundChunk;
export interface InboundChunks {
  next(): Promise<InboundChunk>;
  release(): void;
}
export interface DataPlane {
  receive(endpoint: string, instructionId: string): InboundChunks;
  send(endpoint: string, instructionId: string, chunks: readonly OutboundChunk[]): Promise<void>;
  abandon(instructionId: string): void;
  close(): void;
}
