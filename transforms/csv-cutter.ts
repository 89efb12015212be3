/** Finds the ends of CSV records in passing: only lines with quotes are looked at byte by byte. */
import { CsvRecordScan } from "./csv-record-scan.js";
import type { ReaderPosition, RecordCutter, RecordReader } from "./record-format.js";

const LF = 0x0a;
const QUOTE = 0x22;
/** More than nearly every record. */
const BYTES_WANTED_MIN = 64 * 1024;

export interface CsvCutterOptions {
  /** The byte between fields. */
  readonly delimiter: number;
  /** The scanner's cap on records. */
  readonly recordBytesMax: number;
  /** Makes a reader that begins where the cutter does: it reads the header. */
  readonly createReader: () => RecordReader;
}

/**
 * Passes what `CsvScanner` passes as records. Where there is no quote, each LF ends one; a line with a quote is
 * scanned by `CsvRecordScan`, so that both mean the same by quotes. Holds the bytes pushed last: of a record that
 * is longer, it asks for more at once, up to the cap.
 */
export class CsvCutter implements RecordCutter {
  bytesWanted = BYTES_WANTED_MIN;
  readonly #recordBytesMax: number;
  readonly #scan: CsvRecordScan;
  /** Reads until the header is known, and how many bytes it was given. */
  #headerReader: RecordReader | undefined;
  #headerBytes = 0;
  #header: readonly string[] | null;
  /** Where the last record ended. */
  #offset: number;
  #line: number;
  lastStart: number;
  /** What was pushed, from the offset `#start` of the file on; up to `#at` it is passed. */
  #bytes: Buffer = Buffer.alloc(0);
  #start: number;
  #at = 0;
  /** The next quote in the bytes, or -1. */
  #quoteAt = -1;
  /** Lines that ended inside a record beyond the cap, while its line end is looked for. */
  #oversizedLines: number | undefined;

  constructor({ delimiter, recordBytesMax, createReader }: CsvCutterOptions, position: ReaderPosition) {
    this.#recordBytesMax = recordBytesMax;
    this.#scan = new CsvRecordScan(delimiter);
    this.#header = position.header;
    this.#headerReader = position.header === null ? createReader() : undefined;
    this.#offset = position.byteOffset;
    this.lastStart = position.byteOffset;
    this.#start = position.byteOffset;
    this.#line = position.line;
  }

  get position(): ReaderPosition {
    return { byteOffset: this.#offset, line: this.#line, header: this.#header };
  }

  get nextByte(): number {
    return this.#start + (this.#headerReader === undefined ? this.#at : this.#headerBytes);
  }

  push(bytes: Buffer): void {
    if (this.#headerReader !== undefined) {
      this.#headerReader.push(bytes);
      this.#headerBytes += bytes.length;
      return;
    }
    this.#start += this.#at;
    this.#bytes = bytes;
    this.#at = 0;
    this.#quoteAt = bytes.indexOf(QUOTE);
  }

  advance(offset: number): boolean {
    if (this.#headerReader !== undefined && !this.#passHeader(this.#headerReader))
      return this.#offset >= offset;
    while (this.#offset < offset) {
      const isPassed =
        this.#oversizedLines === undefined
          ? this.#passPlainLines(offset) || this.#passRecord()
          : this.#passOversized(this.#oversizedLines);
      if (isPassed) continue;
      const isStuck = this.#at === 0 && this.#oversizedLines === undefined;
      this.bytesWanted = Math.max(BYTES_WANTED_MIN, isStuck ? 2 * this.#bytes.length : 0);
      return false;
    }
    return true;
  }

  /** Up to the first record behind the header, if that is there already. */
  #passHeader(reader: RecordReader): boolean {
    reader.next();
    const { byteOffset, line, header } = reader.position;
    if (header === null) return false;
    this.#headerReader = undefined;
    this.#header = header;
    this.#offset = byteOffset;
    this.lastStart = byteOffset;
    this.#start = byteOffset;
    this.#line = line;
    return true;
  }

  /** Lines before the next quote: to the first end at or behind the offset, else to the last. */
  #passPlainLines(offset: number): boolean {
    const end = this.#quoteAt < 0 ? this.#bytes.length : this.#quoteAt;
    const wanted = Math.max(this.#at, offset - this.#start - 1);
    let lineEnd = wanted < end ? this.#bytes.indexOf(LF, wanted) : -1;
    if (lineEnd < 0 || lineEnd >= end) lineEnd = end > this.#at ? this.#bytes.lastIndexOf(LF, end - 1) : -1;
    if (lineEnd < this.#at) return false;
    const before = lineEnd > this.#at ? this.#bytes.lastIndexOf(LF, lineEnd - 1) + 1 : this.#at;
    const lines = countLineEnds(this.#bytes, this.#at, lineEnd + 1);
    return this.#passTo(lineEnd + 1, lines, this.#start + Math.max(this.#at, before));
  }

  /** One record, as the scanner finds its end. */
  #passRecord(): boolean {
    const scan = this.#scan;
    const bytes = this.#bytes;
    scan.begin();
    const limit = Math.min(bytes.length, this.#at + this.#recordBytesMax + 2);
    if (scan.findLineEnd(bytes, this.#at, limit)) {
      return this.#passTo(this.#at + scan.length + 1, scan.lineEndsInside + 1);
    }
    if (scan.length <= this.#recordBytesMax + 1) return false;
    // an open quote is given up: only its first line is the record
    if (scan.isInQuotes && scan.lineEndsInside > 0) return this.#passTo(bytes.indexOf(LF, this.#at) + 1, 1);
    this.#oversizedLines = scan.lineEndsInside;
    this.#at += scan.length;
    return this.#passOversized(scan.lineEndsInside);
  }

  /** To the next LF, whatever the quotes. */
  #passOversized(linesBefore: number): boolean {
    const lineEnd = this.#bytes.indexOf(LF, this.#at);
    if (lineEnd < 0) {
      this.#at = this.#bytes.length;
      return false;
    }
    this.#oversizedLines = undefined;
    return this.#passTo(lineEnd + 1, linesBefore + 1);
  }

  #passTo(at: number, lines: number, lastStart = this.#offset): true {
    this.lastStart = lastStart;
    this.#at = at;
    this.#offset = this.#start + at;
    this.#line += lines;
    if (this.#quoteAt >= 0 && this.#quoteAt < at) this.#quoteAt = this.#bytes.indexOf(QUOTE, at);
    return true;
  }
}

function countLineEnds(bytes: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = bytes.indexOf(LF, from); at >= 0 && at < to; at = bytes.indexOf(LF, at + 1)) count++;
  return count;
}
