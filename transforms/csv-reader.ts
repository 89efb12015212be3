/** Reads the records of one CSV file by the names in its header. */
import type { CsvDefect, CsvScanner } from "./csv-scanner.js";
import type { Problem, ScannedRecord } from "./input-record.js";
import type { ReaderPosition, RecordReader } from "./record-format.js";
import { timestampMsOf } from "./timestamp.js";

export interface CsvReaderOptions {
  /** Required columns, each once. */
  readonly columns: readonly string[];
  /** The one of `columns` that holds the event time, if any does. */
  readonly timestampColumn: string | undefined;
  /** The scanner's cap, for messages. */
  readonly recordBytesMax: number;
}

/**
 * Gives the required columns of each record, in whatever order the header has them; other columns are ignored
 * and counted. The header line is no record. A header that lacks a required column, or repeats one, or is itself
 * defective, makes every record `missing_column`, which goes before any other problem.
 *
 * `fields` of all records have the same keys in the same order, those of `columns`.
 */
export class CsvReader implements RecordReader {
  private header: readonly string[] | null;
  private headerProblem: Problem | undefined = undefined;
  /** For each of `columns`, its place in the header. */
  private places: readonly number[] = [];
  private unknown = 0;

  private readonly columns: readonly string[];
  private readonly timestampColumn: string | undefined;
  private readonly recordBytesMax: number;

  /** @param header as remembered in a reader's position; null at the start of a file */
  constructor(
    private readonly scanner: CsvScanner,
    options: CsvReaderOptions,
    header: readonly string[] | null,
  ) {
    this.columns = options.columns;
    this.timestampColumn = options.timestampColumn;
    this.recordBytesMax = options.recordBytesMax;
    this.header = header;
    if (header !== null) this.takeHeader(header);
  }

  push(chunk: Buffer): void {
    this.scanner.push(chunk);
  }

  end(): void {
    this.scanner.end();
  }

  next(): ScannedRecord | undefined {
    while (this.scanner.next()) {
      if (this.header !== null) return this.record(this.header.length);
      this.takeHeader(this.scanHeader());
    }
    return undefined;
  }

  /** Blank lines and the header are passed when `next` looks for the record behind them. */
  get position(): ReaderPosition {
    return { byteOffset: this.scanner.nextByteOffset, line: this.scanner.nextLine, header: this.header };
  }

  get unknownColumns(): number {
    return this.unknown;
  }

  private record(fieldsExpected: number): ScannedRecord {
    const { scanner, timestampColumn } = this;
    const { line, byteStart, byteEnd, chunk, chunkStart } = scanner;
    const problem = this.problemOf(fieldsExpected);
    if (problem !== undefined) {
      return {
        line,
        byteStart,
        byteEnd,
        fields: undefined,
        problem,
        timestampMs: undefined,
        chunk,
        chunkStart,
      };
    }
    const fields = this.fields();
    const timestampMs = timestampColumn === undefined ? undefined : timestampMsOf(fields[timestampColumn]!);
    return { line, byteStart, byteEnd, fields, problem, timestampMs, chunk, chunkStart };
  }

  private problemOf(fieldsExpected: number): Problem | undefined {
    if (this.headerProblem !== undefined) return this.headerProblem;
    const { defect, fieldCount } = this.scanner;
    if (defect !== undefined)
      return { reason: defect, messages: [defectMessage(defect, this.recordBytesMax)] };
    if (fieldCount === fieldsExpected) return undefined;
    return { reason: "field_count", messages: [`expected ${fieldsExpected} fields, got ${fieldCount}`] };
  }

  private fields(): Record<string, string> {
    const { scanner, columns, places } = this;
    const fields: Record<string, string> = {};
    for (let i = 0; i < columns.length; i++) fields[columns[i]!] = scanner.field(places[i]!);
    return fields;
  }

  /** The header's names; none when it is defective, as a header that can be read has at least one. */
  private scanHeader(): string[] {
    const { scanner } = this;
    if (scanner.defect !== undefined) return [];
    return Array.from({ length: scanner.fieldCount }, (_, place) => scanner.field(place));
  }

  private takeHeader(header: readonly string[]): void {
    this.header = header;
    this.places = this.columns.map((column) => header.indexOf(column));
    this.headerProblem = headerProblemOf(header, this.columns);
    this.unknown = header.filter((name) => !this.columns.includes(name)).length;
  }
}

function defectMessage(defect: CsvDefect, recordBytesMax: number): string {
  switch (defect) {
    case "record_too_long":
      return `the record is longer than ${recordBytesMax} bytes`;
    case "unterminated_quote":
      return "a quoted field has no closing quote";
    case "invalid_quote":
      return "a quote inside an unquoted field, or text after a closing quote";
    case "invalid_encoding":
      return "the record is not valid UTF-8";
  }
}

function headerProblemOf(header: readonly string[], columns: readonly string[]): Problem | undefined {
  if (header.length === 0) return { reason: "missing_column", messages: ["the header cannot be read"] };
  const messages: string[] = [];
  for (const column of columns) {
    const times = header.filter((name) => name === column).length;
    if (times === 0) messages.push(`the header has no column "${column}"`);
    if (times > 1) messages.push(`the header has column "${column}" ${times} times`);
  }
  return messages.length === 0 ? undefined : { reason: "missing_column", messages };
}
