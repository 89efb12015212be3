/** Splits the bytes of a CSV file into records and fields, in chunks of any size, and says exactly where each stood. */
import { isUtf8 } from "node:buffer";
import { ByteWindow } from "./byte-window.js";
import { CsvRecordScan } from "./csv-record-scan.js";

/** What can be wrong with the bytes of a record, whatever its header says. */
export type CsvDefect = "record_too_long" | "unterminated_quote" | "invalid_quote" | "invalid_encoding";

export interface CsvScannerOptions {
  /** The byte between fields: below 0x80, no quote, CR or LF. */
  readonly delimiter: number;
  /** Longest record in bytes, its line end not counted. */
  readonly recordBytesMax: number;
}

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const END = Symbol("end of the bytes given so far");

/** A line that passed the cap, while its end is looked for. */
interface OversizedLine {
  readonly defect: CsvDefect;
  readonly head: Buffer;
  readonly byteStart: number;
  endsInCr: boolean;
}

/**
 * A cursor over the records of one file, after RFC 4180: `next` moves to the next record, and the other
 * properties describe it until `next` is called again.
 *
 * - A line ends at LF or CRLF. Any other CR is content, also one that is the file's last byte; after a closing
 *   quote it is `invalid_quote`. Lines without content are skipped, a byte order mark at offset 0 likewise.
 * - `invalid_quote`: a quote inside an unquoted field, or text after a closing quote. The record ends at the
 *   next LF.
 * - `unterminated_quote`: a quote still open at `end`, or when the record passes `recordBytesMax`. The record
 *   is its first physical line; reading resumes after that line.
 * - `record_too_long`: longer than `recordBytesMax` otherwise. The record ends at the next LF beyond the cap.
 * - `invalid_encoding`: the record is not UTF-8. Judged last.
 * - Where a record (or the first line of an unterminated quote) is longer than the cap, only its first
 *   `recordBytesMax` bytes are kept in `chunk`; `byteEnd` covers all of it.
 *
 * What is found depends on the bytes and on where `end` was called, never on how they were cut into chunks.
 * Each byte is looked at twice at most, the second time after an unterminated quote. Memory holds what is
 * pushed and not yet read, and of an incomplete record at most the cap and one chunk, twice.
 */
export class CsvScanner {
  /** Physical line on which the record starts, from 1. */
  line = 0;
  /** Range in the file, without the line end. */
  byteStart = 0;
  byteEnd = 0;
  /** The buffer that holds the record's bytes, and where they start in it. */
  chunk: Buffer;
  chunkStart = 0;
  defect: CsvDefect | undefined = undefined;
  /** Physical line of the byte at `nextByteOffset`. */
  nextLine: number;
  /** Bytes looked at so far: a measure of work, linear in the input. */
  scannedBytes = 0;

  private readonly recordBytesMax: number;
  private readonly window: ByteWindow;
  private readonly scan: CsvRecordScan;
  private readonly given: (Buffer | typeof END)[] = [];
  private mayBeByteOrderMark: boolean;
  /** Index in the window of the record that is being scanned, or of the next one. */
  private start = 0;
  private isScanComplete = false;
  private oversized: OversizedLine | undefined = undefined;

  /** @param resumeAt offset in the file of the first byte that will be pushed, and its physical line */
  constructor(options: CsvScannerOptions, resumeAt: { readonly byteOffset: number; readonly line: number }) {
    this.recordBytesMax = options.recordBytesMax;
    this.window = new ByteWindow(resumeAt.byteOffset);
    this.scan = new CsvRecordScan(options.delimiter);
    this.chunk = this.window.bytes;
    this.nextLine = resumeAt.line;
    this.mayBeByteOrderMark = resumeAt.byteOffset === 0;
  }

  /** Takes the bytes that follow. They must not be changed afterwards. */
  push(chunk: Buffer): void {
    if (chunk.length > 0) this.given.push(chunk);
  }

  /** What was given so far ends here: its last line counts as complete, what is pushed later starts anew. */
  end(): void {
    this.given.push(END);
  }

  /** Offset in the file right after the last record and its line end, or after blank lines passed since. */
  get nextByteOffset(): number {
    return this.oversized?.byteStart ?? this.window.fileOffset + this.start;
  }

  /** Number of fields, at least 1. Only for a record without defect. */
  get fieldCount(): number {
    return this.scan.fieldsEnded;
  }

  /** Bytes copied so far: a measure of work, linear in the input. */
  get copiedBytes(): number {
    return this.window.copiedBytes;
  }

  /** Moves to the next complete record; false when that needs more bytes, or `end`. */
  next(): boolean {
    if (this.isScanComplete) this.beginScan();
    for (;;) {
      if (this.oversized !== undefined) {
        if (this.passOversized(this.oversized)) return true;
        if (this.given.length === 0) return false;
        if (this.takeGiven()) return this.completeOversized(this.oversized, 0);
      } else if (this.findLineEnd()) {
        if (!this.isBlank()) return this.completeAtLineEnd();
        this.passBlankLine();
      } else if (this.scan.length > this.recordBytesMax + 1) {
        if (this.cutAtCap()) return true;
      } else {
        if (this.given.length === 0) return false;
        if (this.takeGiven()) return this.completeAtEnd();
      }
    }
  }

  /** A field of the record, from 0, without its quotes. Only for a record without defect. */
  field(index: number): string {
    const { window, scan } = this;
    const recordStart = this.chunkStart;
    let from = recordStart + (index === 0 ? 0 : scan.fieldEnds[index - 1]! + 1);
    let to = recordStart + scan.fieldEnds[index]!;
    const isQuoted = scan.isQuoteSeen && from < to && window.bytes[from] === QUOTE;
    if (isQuoted) {
      from++;
      to--;
    }
    const isAscii = scan.bitsSeen < 0x80;
    const text = isAscii ? window.asciiSlice(recordStart, from, to) : window.bytes.toString("utf8", from, to);
    return isQuoted && text.includes('"') ? text.replaceAll('""', '"') : text;
  }

  /** Takes what was given next; true when that is an end, and a record is left before it. */
  private takeGiven(): boolean {
    const given = this.given[0]!;
    if (given === END && (this.start < this.window.length || this.oversized !== undefined)) {
      // Too few bytes to be a byte order mark are content, not scanned so far.
      const isScanned = !this.mayBeByteOrderMark;
      this.mayBeByteOrderMark = false;
      return isScanned;
    }
    this.given.shift();
    if (given !== END) this.start -= this.window.append(given, this.start);
    return false;
  }

  private beginScan(): void {
    this.isScanComplete = false;
    this.scan.begin();
  }

  /** Scans to the LF that ends the record, or as far as the bytes or the cap allow. */
  private findLineEnd(): boolean {
    if (this.mayBeByteOrderMark && !this.passByteOrderMark()) return false;
    const { window, scan, start } = this;
    // Two more than the cap: an LF that stands behind a CR may still end a record of the full length.
    const limit = Math.min(window.length, start + this.recordBytesMax + 2);
    const before = scan.length;
    const isFound = scan.findLineEnd(window.bytes, start, limit);
    this.scannedBytes += scan.length - before;
    return isFound;
  }

  /** Skips a byte order mark; false when there are too few bytes to tell. */
  private passByteOrderMark(): boolean {
    const { bytes, length } = this.window;
    for (let i = 0; i < BYTE_ORDER_MARK.length; i++) {
      if (i === length) return false;
      if (bytes[i] !== BYTE_ORDER_MARK[i]) {
        this.mayBeByteOrderMark = false;
        return true;
      }
    }
    this.mayBeByteOrderMark = false;
    this.start = BYTE_ORDER_MARK.length;
    return true;
  }

  private isBlank(): boolean {
    const { length } = this.scan;
    return length === 0 || (length === 1 && this.window.bytes[this.start] === CR);
  }

  private passBlankLine(): void {
    this.start += this.scan.length + 1;
    this.nextLine++;
    this.beginScan();
  }

  private completeAtLineEnd(): true {
    const lineEnd = this.start + this.scan.length;
    const defect = this.scan.isBroken(true) ? "invalid_quote" : undefined;
    return this.complete(defect, this.withoutCr(lineEnd), lineEnd + 1, this.scan.lineEndsInside + 1);
  }

  private completeAtEnd(): true {
    const { scan } = this;
    if (scan.isInQuotes && scan.lineEndsInside > 0) return this.completeFirstLine();
    const broken = scan.isBroken(false) ? "invalid_quote" : undefined;
    const end = this.window.length;
    return this.complete(scan.isInQuotes ? "unterminated_quote" : broken, end, end, scan.lineEndsInside);
  }

  /** Gives up an open quote: only the first physical line is the record. */
  private completeFirstLine(): true {
    const lineEnd = this.window.bytes.indexOf(LF, this.start);
    return this.complete("unterminated_quote", this.withoutCr(lineEnd), lineEnd + 1, 1);
  }

  /** Ends a record that passes the cap; false when the end of its line has still to be found. */
  private cutAtCap(): boolean {
    const { scan, window, start } = this;
    if (scan.isInQuotes && scan.lineEndsInside > 0) return this.completeFirstLine();
    this.oversized = {
      defect: scan.isInQuotes ? "unterminated_quote" : "record_too_long",
      head: window.bytes.subarray(start, start + this.recordBytesMax),
      byteStart: window.fileOffset + start,
      endsInCr: false,
    };
    this.start += scan.length;
    return false;
  }

  /** Passes bytes up to the line end of an oversized line, without keeping them; true when it is complete. */
  private passOversized(oversized: OversizedLine): boolean {
    const { bytes, length } = this.window;
    const found = bytes.indexOf(LF, this.start);
    // Beyond `length` the buffer holds no content.
    const isFound = found >= 0 && found < length;
    const end = isFound ? found : length;
    this.scannedBytes += end - this.start;
    this.start = end;
    if (end > 0) oversized.endsInCr = bytes[end - 1] === CR;
    return isFound && this.completeOversized(oversized, 1);
  }

  private completeOversized(oversized: OversizedLine, lineEndBytes: 0 | 1): true {
    const crBytes = lineEndBytes === 1 && oversized.endsInCr ? 1 : 0;
    const end = this.start - crBytes;
    this.describe(oversized.defect, end, this.start + lineEndBytes, this.scan.lineEndsInside + lineEndBytes);
    this.byteStart = oversized.byteStart;
    this.chunk = oversized.head;
    this.chunkStart = 0;
    this.oversized = undefined;
    return true;
  }

  private withoutCr(lineEnd: number): number {
    return lineEnd > this.start && this.window.bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
  }

  /** Completes a record that lies in the window, and judges what needs all of it. */
  private complete(defect: CsvDefect | undefined, end: number, next: number, lines: number): true {
    const { scan, start } = this;
    const { bytes } = this.window;
    this.describe(defect, end, next, lines);
    if (end - start > this.recordBytesMax) {
      this.chunk = bytes.subarray(start, start + this.recordBytesMax);
      this.chunkStart = 0;
      if (defect !== "unterminated_quote") this.defect = "record_too_long";
    } else if (defect === undefined) {
      scan.endField(end - start);
      if (scan.bitsSeen >= 0x80 && !isUtf8(bytes.subarray(start, end))) this.defect = "invalid_encoding";
    }
    return true;
  }

  /** Describes the record from `start` to the index `end`; the next begins at `next`, `lines` further down. */
  private describe(defect: CsvDefect | undefined, end: number, next: number, lines: number): void {
    const { fileOffset, bytes } = this.window;
    this.line = this.nextLine;
    this.byteStart = fileOffset + this.start;
    this.byteEnd = fileOffset + end;
    this.chunk = bytes;
    this.chunkStart = this.start;
    this.defect = defect;
    this.start = next;
    this.nextLine += lines;
    this.isScanComplete = true;
  }
}
