/** The record of a dead letter that is tried again: it knows its letter, and is told what becomes of it. */
import type { PendingRetry, RetryOutcome, SettledRetry } from "../sql/dead-letter-retries.js";
import { type DeadLetter, type Problem, RecordOrigin } from "./input-record.js";

/** Stands at the letter's place, whatever its bytes are now. */
export class RetriedRecord extends RecordOrigin {
  readonly letterId: number;
  /** The letter as it is counted; its messages do not matter here. */
  readonly letter: DeadLetter;
  readonly #bytes: Buffer;
  #outcome: RetryOutcome | undefined;
  #problem: Problem | undefined;

  constructor(retry: PendingRetry) {
    const { id, fileId, generation, sourceFile, line, byteStart, byteEnd, raw, reason } = retry;
    const file = { fileId, generation, path: sourceFile };
    super(file, { line, byteStart, byteEnd, chunk: raw, chunkStart: 0 });
    this.letterId = id;
    this.letter = { record: this, problem: { reason, messages: [] } };
    this.#bytes = raw;
  }

  /** As edited, perhaps. */
  override get raw(): Buffer {
    return this.#bytes;
  }

  /** @throws when it has become something before: it would count twice */
  override became(outcome: RetryOutcome, problem?: Problem): void {
    if (this.#outcome !== undefined) {
      throw new Error(`retried dead letter ${this.letterId} became ${this.#outcome}, then ${outcome}`);
    }
    this.#outcome = outcome;
    this.#problem = problem;
  }

  /** What the letter's row is to say. @throws when no step has told what became of the record */
  get settled(): SettledRetry {
    if (this.#outcome === undefined) {
      throw new Error(`retried dead letter ${this.letterId} is at its bundle's end, and became nothing`);
    }
    return { id: this.letterId, outcome: this.#outcome, problem: this.#problem };
  }
}
