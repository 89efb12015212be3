/** Finds where the records of a file end, without making records of them. */
import type { ReaderPosition, RecordCutter, RecordFormat, RecordReader } from "./record-format.js";

/** The format's own cutter, or one that reads every record. */
export function createRecordCutter(format: RecordFormat, position: ReaderPosition): RecordCutter {
  return format.createCutter?.(position) ?? new ReadingCutter(format, position);
}

/** Cuts records of any format: as slow as reading them. */
export class ReadingCutter implements RecordCutter {
  readonly bytesWanted = 1;
  nextByte: number;
  lastStart: number;
  readonly #reader: RecordReader;

  constructor(format: RecordFormat, position: ReaderPosition) {
    this.nextByte = position.byteOffset;
    this.lastStart = position.byteOffset;
    this.#reader = format.createReader(position.byteOffset === 0 ? null : position);
  }

  get position(): ReaderPosition {
    return this.#reader.position;
  }

  push(bytes: Buffer): void {
    this.nextByte += bytes.length;
    this.#reader.push(bytes);
  }

  advance(offset: number): boolean {
    while (this.#reader.position.byteOffset < offset) {
      const record = this.#reader.next();
      if (record === undefined) return this.#reader.position.byteOffset >= offset;
      this.lastStart = record.byteStart;
    }
    return true;
  }
}
