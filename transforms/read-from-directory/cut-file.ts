/** Cuts a planned file into ranges that begin at records, in one pass over its bytes. */
import { createRecordCutter } from "../record-cutter.js";
import type { ReaderPosition, RecordCutter, RecordFormat } from "../record-format.js";
import type { FilePosition, FileRange } from "./file-range.js";
import type { OpenFile } from "./file-system.js";
import { fingerprintAt } from "./fingerprint.js";

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The parts of a range, none of which goes further than the first record that begins `rangeBytesMax` bytes or
 * more behind its own start. What is read in the parts, one after the other, is what is read in the whole.
 */
export async function* cutRange(
  open: OpenFile,
  range: FileRange,
  format: RecordFormat,
  rangeBytesMax: number,
): AsyncGenerator<FileRange> {
  let { start } = range;
  const from = await firstRecord(open, range);
  if (from !== undefined) {
    const cutter = createRecordCutter(format, from);
    while (await advance(open, cutter, start.byteOffset + rangeBytesMax, range.byteEnd)) {
      const { byteOffset, line, header } = cutter.position;
      if (byteOffset >= range.byteEnd) break;
      const end = await fingerprintAt(open, byteOffset, start);
      yield { ...range, start, byteEnd: byteOffset, end };
      start = { byteOffset, line, header, ...end, state: "reading", endedAtByte: null, endedAtLine: null };
    }
  }
  yield { ...range, start };
}

/** A part that ends with a record. */
export interface CompletePart {
  readonly range: FileRange;
  /** Where reading goes on behind it. */
  readonly next: FilePosition;
  /** Event time of its last record; undefined where that shows none. */
  readonly lastTimestampMs: number | undefined;
}

/** The parts of a range up to the end of its last complete record: what is behind that may still grow. */
export async function* completeParts(
  open: OpenFile,
  range: FileRange,
  format: RecordFormat,
  rangeBytesMax: number,
): AsyncGenerator<CompletePart> {
  let { start } = range;
  const from = await firstRecord(open, range);
  if (from === undefined) return;
  const cutter = createRecordCutter(format, from);
  for (;;) {
    const isCut = await advance(open, cutter, start.byteOffset + rangeBytesMax, range.byteEnd);
    const { byteOffset, line, header } = cutter.position;
    if (byteOffset > start.byteOffset) {
      const end = await fingerprintAt(open, byteOffset, start);
      const lastTimestampMs = await timestampOfLast(open, cutter, format);
      const position = { byteOffset, line, header, ...end };
      const next: FilePosition = { ...position, state: "reading", endedAtByte: null, endedAtLine: null };
      yield { range: { ...range, start, byteEnd: byteOffset, end }, next, lastTimestampMs };
      start = next;
    }
    if (!isCut) return;
  }
}

async function timestampOfLast(
  open: OpenFile,
  { lastStart, position }: RecordCutter,
  format: RecordFormat,
): Promise<number | undefined> {
  const { byteOffset, line, header } = position;
  const length = byteOffset - lastStart;
  if (length <= 0 || length > CHUNK_BYTES) return undefined;
  const reader = format.createReader(lastStart === 0 ? null : { byteOffset: lastStart, line, header });
  reader.push(await read(open, lastStart, length));
  return reader.next()?.timestampMs;
}

/** Where the first record begins: behind what continues a last line that was taken as complete; undefined: nowhere. */
async function firstRecord(
  open: OpenFile,
  { start, byteEnd }: FileRange,
): Promise<ReaderPosition | undefined> {
  const { byteOffset, line, header } = start;
  if (start.endedAtByte === null) return { byteOffset, line, header };
  for (let at = byteOffset; at < byteEnd; at += CHUNK_BYTES) {
    const chunk = await read(open, at, Math.min(CHUNK_BYTES, byteEnd - at));
    const newline = chunk.indexOf(NEWLINE);
    if (newline >= 0) return { byteOffset: at + newline + 1, line: line + 1, header };
  }
  return undefined;
}

async function advance(
  open: OpenFile,
  cutter: RecordCutter,
  target: number,
  byteEnd: number,
): Promise<boolean> {
  let readToEndFrom = -1;
  while (!cutter.advance(target)) {
    const at = cutter.nextByte;
    const length = Math.min(Math.max(CHUNK_BYTES, cutter.bytesWanted), byteEnd - at);
    if (length <= 0 || at === readToEndFrom) return false;
    cutter.push(await read(open, at, length));
    if (at + length === byteEnd) readToEndFrom = at;
  }
  return true;
}

async function read(open: OpenFile, position: number, length: number): Promise<Buffer> {
  const chunk = Buffer.allocUnsafeSlow(length);
  return chunk.subarray(0, await open.read(chunk, position));
}
