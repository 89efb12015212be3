/** Rows in PostgreSQL's COPY text format, encoded as they come and sent as they lie. */

/** What a column may be given; bigint and number are written in full, never in exponent form for integers. */
export type ColumnValue = string | number | bigint | boolean | null | undefined;

const NEEDS_ESCAPE = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** One field as COPY text wants it: `\N` for null, backslash escapes for what would end a field or row. */
export function copyField(value: ColumnValue): string {
  if (typeof value === "string") {
    return NEEDS_ESCAPE.test(value) ? value.replace(/[\\\t\n\r]/g, (char) => ESCAPES[char] as string) : value;
  }
  if (value === null || value === undefined) return "\\N";
  return String(value);
}

const BYTES_AT_FIRST = 64 * 1024;
/** Neither is in a field: there they are escaped. */
const NEWLINE = 0x0a;
const TAB = 0x09;
/** Bytes given to the connection at once. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The rows of a batch as COPY text in one growing buffer, outside the JavaScript heap: a batch lives
 * through several garbage collections, and as strings its rows would be copied by each of them.
 */
export class CopyRows {
  #bytes: Buffer = Buffer.allocUnsafe(BYTES_AT_FIRST);
  #used = 0;
  /** End of each row. */
  #ends = new Int32Array(1024);
  #length = 0;

  /** What `all` gave, in another process perhaps. The bytes are its own from now on. */
  static of(bytes: Buffer): CopyRows {
    const rows = new CopyRows();
    rows.#bytes = bytes;
    rows.#used = bytes.length;
    for (let end = bytes.indexOf(NEWLINE) + 1; end > 0; end = bytes.indexOf(NEWLINE, end) + 1)
      rows.#endAt(end);
    return rows;
  }

  get length(): number {
    return this.#length;
  }

  /** Of the rows so far. */
  get bytes(): number {
    return this.#used;
  }

  /** Adds a row: its index in the batch as the first field, then the columns. */
  push(fields: string): void {
    const text = `${this.#length}\t${fields}\n`;
    this.#makeRoom(text.length * 3); // a UTF-16 unit takes at most 3 bytes of UTF-8
    this.#used += this.#bytes.write(text, this.#used, "utf8");
    this.#endAt(this.#used);
  }

  /** The bytes of all rows. Valid until `clear`. */
  all(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  /** The bytes of a row's fields behind the first `skipped`, without its newline. Valid until `clear`. */
  fieldsOf(row: number, skipped: number): Buffer {
    const end = this.#endOf(row) - 1;
    let start = this.#endOf(row - 1);
    for (let n = 0; n < skipped; n++) start = this.#bytes.indexOf(TAB, start) + 1;
    return this.#bytes.subarray(start, end);
  }

  /** Empties the batch; the memory is kept for the next one. */
  clear(): void {
    this.#used = 0;
    this.#length = 0;
  }

  /** The bytes of rows `from` to `to` (exclusive), cut into chunks. Valid until `clear`. */
  *chunks(from: number, to: number): Generator<Buffer> {
    const end = this.#endOf(to - 1);
    for (let start = this.#endOf(from - 1); start < end; start += CHUNK_BYTES) {
      yield this.#bytes.subarray(start, Math.min(start + CHUNK_BYTES, end));
    }
  }

  #endAt(end: number): void {
    if (this.#length === this.#ends.length) {
      const longer = new Int32Array(this.#ends.length * 2);
      longer.set(this.#ends);
      this.#ends = longer;
    }
    this.#ends[this.#length++] = end;
  }

  #endOf(row: number): number {
    return row < 0 ? 0 : (this.#ends[row] as number);
  }

  #makeRoom(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + bytes));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#bytes = larger;
  }
}
