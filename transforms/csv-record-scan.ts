/** Finds the fields and the line end of one CSV record, byte by byte, going on where the bytes ended before. */

// Where the scan stands. In BROKEN the quotes make no sense and only the line end matters.
const IN_FIELD = 0;
const IN_QUOTES = 1;
const AFTER_QUOTE = 2;
const AFTER_QUOTE_CR = 3;
const BROKEN = 4;

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;

/** The scan of one record after another; `begin` starts the next. All positions count from the record's start. */
export class CsvRecordScan {
  /** Bytes scanned: the position of the LF once that is found. */
  length = 0;
  /** Fields that a delimiter has ended, and where. */
  fieldsEnded = 0;
  fieldEnds = new Int32Array(32);
  /** LFs inside quotes. */
  lineEndsInside = 0;
  /** All bytes or-ed together: below 0x80 when they are ASCII. */
  bitsSeen = 0;
  isQuoteSeen = false;
  private state = IN_FIELD;

  constructor(private readonly delimiter: number) {}

  /** Forgets the record and stands at the start of the next. */
  begin(): void {
    this.length = 0;
    this.fieldsEnded = 0;
    this.lineEndsInside = 0;
    this.bitsSeen = 0;
    this.isQuoteSeen = false;
    this.state = IN_FIELD;
  }

  get isInQuotes(): boolean {
    return this.state === IN_QUOTES;
  }

  /** Whether the quotes make no sense, should the record end here, with a line end or without. */
  isBroken(isLineEnded: boolean): boolean {
    return this.state === BROKEN || (this.state === AFTER_QUOTE_CR && !isLineEnded);
  }

  /**
   * Scans on, up to the LF that ends the record (true) or to `limit`.
   * @param start index in `bytes` of the record's first byte
   * @param limit index in `bytes` of the first byte that must not be looked at
   */
  findLineEnd(bytes: Buffer, start: number, limit: number): boolean {
    let isFound = false;
    while (!isFound && start + this.length < limit) {
      if (this.state === IN_FIELD) isFound = this.scanFields(bytes, start, limit);
      else if (this.state === IN_QUOTES) this.scanQuotes(bytes, start, limit);
      else if (this.state === BROKEN) isFound = this.scanBroken(bytes, start, limit);
      else isFound = this.scanAfterQuote(bytes[start + this.length]!);
    }
    return isFound;
  }

  /** Ends a field at the position `end`. */
  endField(end: number): void {
    if (this.fieldsEnded === this.fieldEnds.length) {
      const longer = new Int32Array(2 * this.fieldEnds.length);
      longer.set(this.fieldEnds);
      this.fieldEnds = longer;
    }
    this.fieldEnds[this.fieldsEnded++] = end;
  }

  /** Scans unquoted fields, up to a quote or the line end: the loop that most bytes go through. */
  private scanFields(bytes: Buffer, start: number, limit: number): boolean {
    const { delimiter } = this;
    let cursor = start + this.length;
    let bits = this.bitsSeen;
    let isFound = false;
    while (cursor < limit) {
      const byte = bytes[cursor]!;
      bits |= byte;
      if (byte === delimiter) {
        this.endField(cursor - start);
      } else if (byte === LF) {
        isFound = true;
        break;
      } else if (byte === QUOTE) {
        const fieldStart = this.fieldsEnded === 0 ? 0 : this.fieldEnds[this.fieldsEnded - 1]! + 1;
        this.state = cursor - start === fieldStart ? IN_QUOTES : BROKEN;
        this.isQuoteSeen = true;
        cursor++;
        break;
      }
      cursor++;
    }
    this.length = cursor - start;
    this.bitsSeen = bits;
    return isFound;
  }

  private scanQuotes(bytes: Buffer, start: number, limit: number): void {
    let cursor = start + this.length;
    let bits = this.bitsSeen;
    while (cursor < limit) {
      const byte = bytes[cursor++]!;
      bits |= byte;
      if (byte === LF) {
        this.lineEndsInside++;
      } else if (byte === QUOTE) {
        this.state = AFTER_QUOTE;
        break;
      }
    }
    this.length = cursor - start;
    this.bitsSeen = bits;
  }

  /** Scans the one byte that tells what a quote in a quoted field meant. */
  private scanAfterQuote(byte: number): boolean {
    if (byte === LF) return true;
    if (this.state === AFTER_QUOTE_CR) {
      this.state = BROKEN;
    } else if (byte === QUOTE) {
      this.state = IN_QUOTES;
    } else if (byte === this.delimiter) {
      this.endField(this.length);
      this.state = IN_FIELD;
    } else {
      this.state = byte === CR ? AFTER_QUOTE_CR : BROKEN;
    }
    this.bitsSeen |= byte;
    this.length++;
    return false;
  }

  private scanBroken(bytes: Buffer, start: number, limit: number): boolean {
    let cursor = start + this.length;
    while (cursor < limit && bytes[cursor] !== LF) cursor++;
    this.length = cursor - start;
    return cursor < limit;
  }
}
