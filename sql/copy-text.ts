/** Rows in PostgreSQL's COPY text format. */

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

/** A row for the stage: its index in the batch and its COPY text, line end included. */
export interface StagedRow {
  readonly index: number;
  readonly text: string;
}

/** Joins rows to buffers of some 64 KiB, as COPY data. */
export function* copyChunks(rows: readonly StagedRow[]): Generator<Buffer> {
  const rowsPerChunk = 512;
  for (let start = 0; start < rows.length; start += rowsPerChunk) {
    let text = "";
    const end = Math.min(start + rowsPerChunk, rows.length);
    for (let at = start; at < end; at++) text += (rows[at] as StagedRow).text;
    yield Buffer.from(text, "utf8");
  }
}
