/** Reads the records of a range of a planned file, as the source of the whole directory would. */
import type { FileRef, ScannedRecord } from "../input-record.js";
import type { Clock } from "../primitives/do-fn.js";
import type { RecordFormat } from "../record-format.js";
import { type FileRange, positionOf, type RangeEnd, sourceFileOf } from "./file-range.js";
import { FileVisitor, type RecordTarget } from "./file-visitor.js";
import type { InputDirectory } from "./input-directory.js";
import { FileChangedError, nameOf, openPlanned } from "./planned-directory.js";
import type { SourceFile } from "./source-file.js";

/** Records handed on before whoever takes them is asked whether there is room. */
const RECORDS_AT_ONCE = 10_000;
const BYTES_AT_ONCE = 4 * 1024 * 1024;

export interface RangeReaderOptions {
  readonly directory: InputDirectory;
  readonly format: RecordFormat;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Takes records; between some thousands of them the reader waits for `room`. */
export interface RecordOutput {
  emit(file: FileRef, record: ScannedRecord): void;
  room(): Promise<void> | undefined;
}

/**
 * Reads one range to its end.
 * @returns where reading ended, and how many records there were
 * @throws FileChangedError when the file is not what was planned; AbortError when the work is abandoned
 */
export async function readRange(
  range: FileRange,
  options: RangeReaderOptions,
  output: RecordOutput,
): Promise<{ end: RangeEnd; records: number }> {
  const directory = { open: () => openPlanned(options.directory, range) };
  const visitor = new FileVisitor({ ...options, directory, quietMs: 0 });
  const file = sourceFileOf(range);
  const target = new RangeTarget(output);
  try {
    for (let outcome = await visitor.visit(file, target); outcome !== "at-end"; ) {
      if (outcome === "suspect") throw changed(range, "differ from those that were read before");
      options.signal.throwIfAborted();
      target.begin();
      await output.room();
      outcome = await visitor.visit(file, target);
    }
  } finally {
    visitor.close();
  }
  options.signal.throwIfAborted();
  checkEnd(range, file);
  return { end: { ...positionOf(file.toStored()), isLast: range.end === null }, records: target.records };
}

/** A range that is not the last ends where the next begins, with the bytes that were there when it was cut. */
function checkEnd(range: FileRange, { position, fingerprint }: SourceFile): void {
  if (range.end === null) return;
  if (position.byteOffset === range.byteEnd && fingerprint.tailHash === range.end.tailHash) return;
  throw changed(range, "do not end with a record as they did");
}

function changed(range: FileRange, what: string): FileChangedError {
  return new FileChangedError(`${nameOf(range)} was rewritten after it was planned: its bytes ${what}`);
}

class RangeTarget implements RecordTarget {
  records = 0;
  #taken = 0;
  #bytes = 0;

  constructor(readonly output: RecordOutput) {}

  begin(): void {
    this.#taken = 0;
    this.#bytes = 0;
  }

  get isFull(): boolean {
    return this.#taken >= RECORDS_AT_ONCE || this.#bytes >= BYTES_AT_ONCE;
  }

  claim(): boolean {
    return this.#taken < RECORDS_AT_ONCE;
  }

  emit(file: FileRef, record: ScannedRecord): void {
    this.#taken++;
    this.records++;
    this.output.emit(file, record);
  }

  addBytes(count: number): void {
    this.#bytes += count;
  }
}
