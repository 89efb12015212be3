/** How the bytes of a file become records: registered by name, used by `readFromDirectory`. */

import type { ScannedRecord } from "./input-record.js";
import type { JsonValue } from "./primitives/fn-registry.js";

/**
 * Where reading may resume: right after the last record that `next()` returned and its line end. What lies behind
 * it and is no record (blank lines, a header) is passed once `next()` has looked for the next one, so that a file
 * without a rest ends at its size. Plain JSON.
 */
export interface ReaderPosition {
  /** Offset in the (inflated) file of the first byte not yet in a returned record. */
  readonly byteOffset: number;
  /** Physical line of that byte, from 1. */
  readonly line: number;
  /** What the format must remember from earlier bytes, e.g. the header record; null at the start. */
  readonly header: readonly string[] | null;
}

/** Reads the records of one file, fed with its bytes in order. */
export interface RecordReader {
  /** Takes the bytes that follow all bytes given before. The buffer must not be changed afterwards. */
  push(chunk: Buffer): void;
  /**
   * Says that the bytes given so far are all there is (the file is quiet): what is left counts as a
   * complete last record. Bytes pushed later are read as following records.
   */
  end(): void;
  /** The next complete record, or undefined when more bytes (or `end`) are needed. */
  next(): ScannedRecord | undefined;
  readonly position: ReaderPosition;
  /** Unknown columns seen in the header: ignored and counted. */
  readonly unknownColumns: number;
}

export interface RecordFormat {
  createReader(resumeAt: ReaderPosition | null): RecordReader;
  /** Where ends of records can be found faster than by reading them. */
  createCutter?(position: ReaderPosition): RecordCutter;
}

/**
 * A cursor over the ends of records: at every position it takes another reader may begin, and finds what a reader
 * that came from the start would have found from there on.
 */
export interface RecordCutter {
  /** Where reading begins; later right behind a record and its line end. */
  readonly position: ReaderPosition;
  /** Where the record or line begins that ends at `position`, or as far as that is known. */
  readonly lastStart: number;
  /** Offset in the file of the bytes to push next, and how many of them it takes to get on. */
  readonly nextByte: number;
  readonly bytesWanted: number;
  /** Takes the bytes of the file from `nextByte` on. They must not be changed afterwards. */
  push(bytes: Buffer): void;
  /** Moves to the first end of a record at or behind the offset; false when that needs more bytes. */
  advance(offset: number): boolean;
}

/** A format in a graph: registered name and JSON options. */
export interface RecordFormatSpec {
  readonly format: string;
  readonly options: JsonValue;
}

const formats = new Map<string, (options: never) => RecordFormat>();

/** Registers a record format, e.g. `csv`; the result of calling it is put into a graph's JSON. */
export function registerRecordFormat<Options>(
  name: string,
  create: (options: Options) => RecordFormat,
): void {
  if (formats.has(name)) throw new Error(`record format "${name}" is already registered`);
  formats.set(name, create);
}

/** Builds a registered format. @throws when the name is unknown. */
export function createRecordFormat(spec: RecordFormatSpec): RecordFormat {
  const create = formats.get(spec.format);
  if (create === undefined) {
    throw new Error(
      `no record format "${spec.format}" (known: ${[...formats.keys()].sort().join(", ") || "none"})`,
    );
  }
  return create(spec.options as never);
}
