/** What a CSV file holds according to csv-parse and according to our scanner, in forms that can be compared. */
import { type CsvError, parse } from "csv-parse/sync";
import { type CsvDefect, CsvScanner, type CsvScannerOptions } from "../../transforms/csv-scanner.js";

/** A record as both sides describe it: its fields, or what is wrong with it. */
export interface CsvRow {
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
  /** Where reading may resume. */
  readonly next: number;
  readonly content: readonly string[] | CsvDefect;
}

const LF = 0x0a;
const CR = 0x0d;

/**
 * The rows of a whole file that is valid UTF-8, without cap on records. csv-parse stops at a bad quote; from
 * there the rules of our scanner say where to resume, and csv-parse goes on from that place.
 */
export function rowsByCsvParse(bytes: Buffer, delimiter: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let at = bytes.subarray(0, 3).toString("latin1") === "\xef\xbb\xbf" ? 3 : 0;
  const add = (content: CsvRow["content"], next: number): void => {
    const byteStart = afterBlankLines(bytes, at);
    const line = 1 + bytes.subarray(0, byteStart).filter((byte) => byte === LF).length;
    rows.push({ line, byteStart, byteEnd: withoutLineEnd(bytes, byteStart, next), next, content });
    at = next;
  };
  while (at < bytes.length) {
    const from = at;
    const { records, error } = parseUntilError(bytes.subarray(from), delimiter);
    for (const { record, end } of records) add(record, from + end);
    if (error === undefined) break;
    const start = afterBlankLines(bytes, at);
    if (error === "CSV_QUOTE_NOT_CLOSED") add("unterminated_quote", afterLine(bytes, start));
    else add("invalid_quote", afterLine(bytes, start + faultOffset(bytes.subarray(start), delimiter)));
  }
  return rows;
}

/** The rows that a scanner finds, fed with the chunks and drained after each; the last one is followed by `end`. */
export function rowsByScanner(scanner: CsvScanner, chunks: readonly Buffer[]): CsvRow[] {
  const rows: CsvRow[] = [];
  const drain = (): void => {
    while (scanner.next()) {
      const { line, byteStart, byteEnd, defect, nextByteOffset } = scanner;
      const fields = Array.from({ length: defect === undefined ? scanner.fieldCount : 0 }, (_, i) =>
        scanner.field(i),
      );
      rows.push({ line, byteStart, byteEnd, next: nextByteOffset, content: defect ?? fields });
    }
  };
  for (const chunk of chunks) {
    scanner.push(chunk);
    drain();
  }
  scanner.end();
  drain();
  return rows;
}

/** A scanner at the start of a file. */
export function scannerAtStart(options: Partial<CsvScannerOptions> = {}): CsvScanner {
  return scannerAt({ byteOffset: 0, line: 1 }, options);
}

export function scannerAt(
  position: { readonly byteOffset: number; readonly line: number },
  options: Partial<CsvScannerOptions> = {},
): CsvScanner {
  return new CsvScanner({ delimiter: 0x2c, recordBytesMax: 1024 * 1024, ...options }, position);
}

/** Cuts bytes into chunks of the given sizes, used in turn. */
export function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; at += sizes[i++ % sizes.length]!) {
    chunks.push(Buffer.from(bytes.subarray(at, at + sizes[i % sizes.length]!)));
  }
  return chunks;
}

/** Content, line, bytes and raw of a record in one line: `a|b @2 4-7 "a,b"`, `!invalid_quote @1 0-3 "a\"b"`. */
export function describeRecord(scanner: CsvScanner): string {
  const { defect, line, byteStart, byteEnd, chunk, chunkStart } = scanner;
  const fields = Array.from({ length: defect ? 0 : scanner.fieldCount }, (_, i) => scanner.field(i));
  const raw = chunk.toString("latin1", chunkStart, Math.min(chunk.length, chunkStart + byteEnd - byteStart));
  const content = defect ? `!${defect}` : fields.join("|");
  return `${content} @${line} ${byteStart}-${byteEnd} ${JSON.stringify(raw)}`;
}

/** All records that the scanner has complete, described. */
export function recordsOf(scanner: CsvScanner): string[] {
  const records: string[] = [];
  while (scanner.next()) records.push(describeRecord(scanner));
  return records;
}

interface ParsedRecord {
  readonly record: string[];
  /** Offset after the record and its line end. */
  readonly end: number;
}

function parseUntilError(bytes: Buffer, delimiter: string): { records: ParsedRecord[]; error?: string } {
  const records: ParsedRecord[] = [];
  try {
    parse(bytes, {
      delimiter,
      record_delimiter: ["\n", "\r\n"],
      skip_empty_lines: true,
      relax_column_count: true,
      on_record: (record: string[], { bytes: end }) => {
        records.push({ record, end });
        return null;
      },
    });
    return { records };
  } catch (error) {
    return { records, error: (error as CsvError).code };
  }
}

/** Offset of the byte that makes the first record's quotes invalid, with it and with whatever follows it. */
function faultOffset(bytes: Buffer, delimiter: string): number {
  const isInvalid = (length: number): boolean => {
    const { records, error } = parseUntilError(bytes.subarray(0, length), delimiter);
    return error !== undefined && error !== "CSV_QUOTE_NOT_CLOSED" && records.length === 0;
  };
  // A CR after a closing quote is wrong at the end of the bytes, and right before an LF.
  for (let length = 1; length < bytes.length; length++) {
    if (isInvalid(length) && isInvalid(length + 1)) return length - 1;
  }
  return bytes.length - 1;
}

function afterBlankLines(bytes: Buffer, from: number): number {
  let at = from;
  for (;;) {
    if (bytes[at] === LF) at += 1;
    else if (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
    else return at;
  }
}

function afterLine(bytes: Buffer, from: number): number {
  const lineEnd = bytes.indexOf(LF, from);
  return lineEnd < 0 ? bytes.length : lineEnd + 1;
}

function withoutLineEnd(bytes: Buffer, start: number, next: number): number {
  if (bytes[next - 1] !== LF) return next;
  return next - 2 >= start && bytes[next - 2] === CR ? next - 2 : next - 1;
}
