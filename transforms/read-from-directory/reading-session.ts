/** One file being read: its bytes, the reader they go to, and what must be remembered of them. */
import type { ReaderPosition, RecordFormat, RecordReader } from "../record-format.js";
import type { OpenFile } from "./file-system.js";
import { FINGERPRINT_BYTES, type Fingerprint, Fingerprinter } from "./fingerprint.js";
import { GzipBytes } from "./gzip-bytes.js";
import type { SourceFile } from "./source-file.js";
import { Tape } from "./tape.js";

const CHUNK_BYTES = 128 * 1024;

/** Reads on from a file's position. */
export interface ReadingSession {
  readonly tape: Tape;
  reader: RecordReader;
  /** The next bytes (inflated) below `limit` of the file as stored, already on the tape; not yet pushed. */
  next(file: OpenFile, limit: number): Promise<Buffer | undefined>;
  /** After the last byte: what an inflater still had. */
  finish(): Promise<Buffer | undefined>;
  /** Why the data cannot be read on. */
  readonly corruption: string | undefined;
  /** Whether the file still holds what was pushed and is no whole record yet. */
  isCurrent(file: OpenFile): Promise<boolean>;
  /** Of what was consumed when reading stops at `position`. */
  fingerprint(position: ReaderPosition): Fingerprint;
  close(): void;
}

/** @param before the bytes right before the position, as `recognise` returned them. */
export function createSession(file: SourceFile, format: RecordFormat, before: Buffer): ReadingSession {
  return file.isGzip ? new GzipSession(file, format) : new PlainSession(file, format, before);
}

/** A reader that goes on at a position. */
export function readerAt(format: RecordFormat, position: ReaderPosition): RecordReader {
  return format.createReader(position.byteOffset === 0 ? null : position);
}

class PlainSession implements ReadingSession {
  readonly tape: Tape;
  readonly corruption = undefined;
  reader: RecordReader;
  readonly #fingerprinter: Fingerprinter;

  constructor(file: SourceFile, format: RecordFormat, before: Buffer) {
    this.tape = new Tape(file.position.byteOffset, before);
    this.#fingerprinter = new Fingerprinter(this.tape, file.fingerprint);
    this.reader = readerAt(format, file.position);
  }

  async next(file: OpenFile, limit: number): Promise<Buffer | undefined> {
    const length = Math.min(CHUNK_BYTES, limit - this.tape.end);
    if (length <= 0) return undefined;
    const chunk = Buffer.allocUnsafeSlow(length);
    const read = await file.read(chunk, this.tape.end);
    if (read === 0) return undefined;
    const bytes = chunk.subarray(0, read);
    this.tape.trim(this.reader.position.byteOffset - FINGERPRINT_BYTES);
    this.#fingerprinter.push(bytes);
    return bytes;
  }

  async finish(): Promise<undefined> {}

  async isCurrent(file: OpenFile): Promise<boolean> {
    const { end } = this.tape;
    const pushed = this.tape.slice(end - Math.min(FINGERPRINT_BYTES, end), end);
    const there = Buffer.allocUnsafe(pushed.length);
    return (await file.read(there, end - there.length)) === there.length && there.equals(pushed);
  }

  fingerprint(position: ReaderPosition): Fingerprint {
    return this.#fingerprinter.at(position.byteOffset);
  }

  close(): void {}
}

class GzipSession implements ReadingSession {
  readonly tape: Tape;
  reader: RecordReader;
  readonly #bytes: GzipBytes;

  constructor(file: SourceFile, format: RecordFormat) {
    this.tape = new Tape(file.position.byteOffset, Buffer.alloc(0));
    this.#bytes = new GzipBytes(file.position.byteOffset);
    this.reader = readerAt(format, file.position);
  }

  get corruption(): string | undefined {
    return this.#bytes.corruption;
  }

  async next(file: OpenFile, limit: number): Promise<Buffer | undefined> {
    return this.#record(await this.#bytes.next(file, limit));
  }

  async finish(): Promise<Buffer | undefined> {
    return this.#record(await this.#bytes.finish());
  }

  async isCurrent(): Promise<boolean> {
    return true; // the fingerprint is of all raw bytes that were inflated
  }

  fingerprint(): Fingerprint {
    return this.#bytes.raw.at(this.#bytes.rawOffset);
  }

  close(): void {
    this.#bytes.close();
  }

  #record(bytes: Buffer | undefined): Buffer | undefined {
    if (bytes === undefined) return undefined;
    this.tape.trim(this.reader.position.byteOffset);
    this.tape.push(bytes);
    return bytes;
  }
}
