/** A record as it comes out of a file: its fields or what is wrong with it, and exactly where it stood. */
import type { RetryOutcome } from "../sql/dead-letter-retries.js";

/** The file of a record; one shared object for all its records. */
export interface FileRef {
  /** Given by PostgreSQL at first sight; unique within the database. */
  readonly fileId: number;
  /** 0 at first; grows by one when the file at this path was rewritten and is read anew. */
  readonly generation: number;
  /** Path relative to the input directory, with `/`. */
  readonly path: string;
}

/** What makes a record a dead letter: a reason code and messages for people. */
export interface Problem {
  readonly reason: string;
  readonly messages: readonly string[];
}

/** What a record reader finds in the bytes; the source adds the file. */
export interface ScannedRecord {
  /** Physical line on which the record starts, from 1. */
  readonly line: number;
  /** Range of the record's bytes in the (inflated) file, its line end included in neither. */
  readonly byteStart: number;
  readonly byteEnd: number;
  /** Fields by header name; absent when `problem` says why there are none. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  readonly problem?: Problem | undefined;
  /** Event time, ms since 1970; undefined when the record shows none. */
  readonly timestampMs?: number | undefined;
  /**
   * The buffer that holds the raw bytes, and where they start in it. Of a record beyond the format's cap it
   * holds only the beginning.
   */
  readonly chunk: Buffer;
  readonly chunkStart: number;
}

/** Where a record stood: all that is kept of it while its value waits to be committed. */
export class RecordOrigin {
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
  private readonly chunk: Buffer;
  private readonly chunkStart: number;

  constructor(
    readonly file: FileRef,
    scanned: ScannedRecord,
  ) {
    this.line = scanned.line;
    this.byteStart = scanned.byteStart;
    this.byteEnd = scanned.byteEnd;
    this.chunk = scanned.chunk;
    this.chunkStart = scanned.chunkStart;
  }

  /**
   * The record's bytes as they stand in the file: a view, valid as long as the record is. Shorter than
   * `byteEnd - byteStart` when the record is longer than its format allows.
   */
  get raw(): Buffer {
    return this.chunk.subarray(this.chunkStart, this.chunkStart + (this.byteEnd - this.byteStart));
  }

  /** Told by each step that decides what becomes of a record. Only one that is tried again wants to know. */
  became(_outcome: RetryOutcome, _problem?: Problem): void {}
}

/** An element of `readFromDirectory`. */
export class InputRecord {
  readonly origin: RecordOrigin;
  readonly fields: Readonly<Record<string, string>> | undefined;
  readonly problem: Problem | undefined;

  constructor(file: FileRef, scanned: ScannedRecord, origin = new RecordOrigin(file, scanned)) {
    this.origin = origin;
    this.fields = scanned.fields;
    this.problem = scanned.problem;
  }
}

/** A value with the record it came from: what flows between `validate` and the sink. */
export interface Sourced<T> {
  readonly record: RecordOrigin;
  readonly value: T;
}

/** A record that cannot become a row, with the reason (see the list in docs/dead-letters.md). */
export interface DeadLetter {
  readonly record: RecordOrigin;
  readonly problem: Problem;
}
