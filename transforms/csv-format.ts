/** The record format `csv`: RFC 4180 in UTF-8 with a header, event time from one of its columns. */
import { CsvCutter } from "./csv-cutter.js";
import { CsvReader } from "./csv-reader.js";
import { CsvScanner } from "./csv-scanner.js";
import {
  type ReaderPosition,
  type RecordFormat,
  type RecordFormatSpec,
  registerRecordFormat,
} from "./record-format.js";

/** Plain JSON. */
export interface CsvOptions {
  /** Columns that every file must have, once each and in any order; the keys of a record's `fields`. */
  readonly columns: readonly string[];
  /** One ASCII character other than NUL, quote, CR and LF; `,` by default. */
  readonly delimiter?: string;
  /** Longest record in bytes, its line end not counted; 1 MiB by default. */
  readonly recordBytesMax?: number;
  /**
   * The one of `columns` that holds the event time, as `timestampMsOf` reads it. A record in which it cannot be
   * read has no event time.
   */
  readonly timestampColumn?: string;
}

/**
 * The format in a graph.
 * @throws RangeError when an option is not possible
 */
export function csvFormat(options: CsvOptions): RecordFormatSpec {
  createCsvFormat(options);
  return { format: "csv", options: { ...options } };
}

registerRecordFormat("csv", createCsvFormat);

const DELIMITER_DEFAULT = ",";
const RECORD_BYTES_MAX_DEFAULT = 1024 * 1024;
// Positions within a record are 32-bit, and so much must fit in a buffer twice.
const RECORD_BYTES_MAX_LIMIT = 512 * 1024 * 1024;

function createCsvFormat(options: CsvOptions): RecordFormat {
  const { columns, timestampColumn } = options;
  const delimiter = options.delimiter ?? DELIMITER_DEFAULT;
  const recordBytesMax = options.recordBytesMax ?? RECORD_BYTES_MAX_DEFAULT;
  checkColumns(columns, timestampColumn);
  if (delimiter.length !== 1 || delimiter > "\x7f" || '\0"\r\n'.includes(delimiter)) {
    const rule = "must be one ASCII character other than NUL, quote, CR and LF";
    throw new RangeError(`csv option "delimiter" ${rule}, got ${JSON.stringify(delimiter)}`);
  }
  if (!Number.isInteger(recordBytesMax) || recordBytesMax < 1 || recordBytesMax > RECORD_BYTES_MAX_LIMIT) {
    const rule = `must be an integer from 1 to ${RECORD_BYTES_MAX_LIMIT}`;
    throw new RangeError(`csv option "recordBytesMax" ${rule}, got ${recordBytesMax}`);
  }
  const scannerOptions = { delimiter: delimiter.charCodeAt(0), recordBytesMax };
  const createReader = (resumeAt: ReaderPosition | null) => {
    const scanner = new CsvScanner(scannerOptions, resumeAt ?? { byteOffset: 0, line: 1 });
    return new CsvReader(scanner, { columns, timestampColumn, recordBytesMax }, resumeAt?.header ?? null);
  };
  return {
    createReader,
    createCutter: (position) =>
      new CsvCutter({ ...scannerOptions, createReader: () => createReader(position) }, position),
  };
}

function checkColumns(columns: readonly string[], timestampColumn: string | undefined): void {
  const got = `got ${JSON.stringify(columns)}`;
  if (columns.length === 0)
    throw new RangeError(`csv option "columns" must name at least one column, ${got}`);
  if (new Set(columns).size < columns.length) {
    throw new RangeError(`csv option "columns" must name each column once, ${got}`);
  }
  // An object cannot have a key of this name like any other.
  if (columns.includes("__proto__"))
    throw new RangeError(`csv option "columns" must not hold "__proto__", ${got}`);
  if (timestampColumn !== undefined && !columns.includes(timestampColumn)) {
    throw new RangeError(`csv option "timestampColumn" must be one of "columns", got "${timestampColumn}"`);
  }
}
