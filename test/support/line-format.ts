/** The smallest record format: a line is a record; for tests of sources. */
import type { ScannedRecord } from "../../transforms/input-record.js";
import {
  type ReaderPosition,
  type RecordReader,
  registerRecordFormat,
} from "../../transforms/record-format.js";

/** Lines become `{ text }`; with a header, the first line is none; blank lines are skipped. */
class LineReader implements RecordReader {
  readonly unknownColumns = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #bytesStart: number;
  #hasEnded = false;
  #position: ReaderPosition;

  constructor(
    resumeAt: ReaderPosition | null,
    readonly hasHeader: boolean,
  ) {
    this.#position = resumeAt ?? { byteOffset: 0, line: 1, header: null };
    this.#bytesStart = this.#position.byteOffset;
  }

  get position(): ReaderPosition {
    return this.#position;
  }

  push(chunk: Buffer): void {
    const consumed = this.#position.byteOffset - this.#bytesStart;
    this.#bytes = Buffer.concat([this.#bytes.subarray(consumed), chunk]);
    this.#bytesStart += consumed;
  }

  end(): void {
    this.#hasEnded = true;
  }

  next(): ScannedRecord | undefined {
    for (;;) {
      const { byteOffset, line, header } = this.#position;
      const start = byteOffset - this.#bytesStart;
      const newline = this.#bytes.indexOf(10, start);
      if (newline < 0 && (!this.#hasEnded || start === this.#bytes.length)) return undefined;
      const stop = newline < 0 ? this.#bytes.length : newline;
      const next = newline < 0 ? stop : stop + 1;
      const text = this.#bytes.toString("utf8", start, stop).replace(/\r$/, "");
      const isHeader = this.hasHeader && header === null;
      const names = isHeader ? text.split(",") : header;
      this.#position = { byteOffset: this.#bytesStart + next, line: line + 1, header: names };
      if (isHeader || text === "") continue;
      const byteStart = byteOffset;
      const byteEnd = byteStart + Buffer.byteLength(text);
      const fields = { text, header: names?.join(",") ?? "" };
      return { line, byteStart, byteEnd, fields, timestampMs: 1000, chunk: this.#bytes, chunkStart: start };
    }
  }
}

registerRecordFormat<{ hasHeader?: boolean }>("test-lines", (options) => ({
  createReader: (resumeAt) => new LineReader(resumeAt, options.hasHeader ?? false),
}));

/** For a source's configuration. */
export const LINES = { format: "test-lines", options: {} } as const;
export const LINES_WITH_HEADER = { format: "test-lines", options: { hasHeader: true } } as const;
