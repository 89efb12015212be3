/** Looks into files that may still grow, and hands their complete records out as ranges for others to read. */
import type { Clock } from "../primitives/do-fn.js";
import { MIN_TIMESTAMP_MS } from "../primitives/timestamp-bounds.js";
import type { RecordFormat } from "../record-format.js";
import { completeParts } from "./cut-file.js";
import { type FilePosition, type FileRange, positionOf } from "./file-range.js";
import type { OpenFile } from "./file-system.js";
import type { VisitOutcome } from "./file-visitor.js";
import { type Fingerprint, fingerprintAt, recognise } from "./fingerprint.js";
import type { InputDirectory } from "./input-directory.js";
import { FileChangedError } from "./planned-directory.js";
import { readRange } from "./range-reader.js";
import type { SourceFile } from "./source-file.js";
import { toRow } from "./stored-positions.js";
import type { SourceTarget, Visitor } from "./visitor.js";

export interface HandOutOptions {
  readonly directory: InputDirectory;
  readonly format: RecordFormat;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly quietMs: number;
  readonly rangeBytesMax: number;
  readonly lineage: () => number;
}

/** Takes the ranges that are found. */
export interface RangeTarget extends SourceTarget {
  /** @param largestMs an event time that the range holds, as large as is known without reading it. */
  add(range: FileRange, largestMs: number): void;
}

export class HandOutVisitor implements Visitor<RangeTarget> {
  constructor(readonly options: HandOutOptions) {}

  /** Hands out what is complete: up to the last line end outside of quotes, or to the end of a quiet file. */
  async visit(file: SourceFile, target: RangeTarget): Promise<VisitOutcome> {
    const open = await this.options.directory.open(file.path);
    try {
      const status = await open.status();
      const isOther = status.kind !== "file" || status.inode !== file.inode;
      if (isOther || (await recognise(open, status.size, file.fingerprint)) === undefined) {
        file.isSuspect = true;
        return "suspect";
      }
      file.observe(status, this.options.clock.monotonicMs());
      file.isAtEnd = false;
      if (!(await this.#handOutComplete(file, open, target))) return "stopped";
      if (!(await this.#handOutTail(file, open, target))) return "suspect";
      file.isAtEnd = true;
      file.visitedTo = file.size;
      file.visitedMtimeNs = file.mtimeNs;
      return "at-end";
    } finally {
      await open.close();
    }
  }

  close(): void {}

  /** What lies before the last line end; false when the bundle takes no more. */
  async #handOutComplete(file: SourceFile, open: OpenFile, target: RangeTarget): Promise<boolean> {
    if (file.isGzip || file.size <= file.position.byteOffset) return true;
    const { format, rangeBytesMax } = this.options;
    const range = this.#range(file, await fingerprintAt(open, file.size, file.fingerprint));
    for await (const part of completeParts(open, range, format, rangeBytesMax)) {
      if (target.isFull) return false;
      const end = part.range.end!;
      const row = { ...range.file, ...plannedUpTo(end), is_tail_complete: false };
      target.add({ ...part.range, file: row }, part.lastTimestampMs ?? MIN_TIMESTAMP_MS);
      moveTo(file, part.next);
    }
    return true;
  }

  /**
   * The rest of a quiet file, or all of a gzip file: reading it is what tells where it ends. False when it is not
   * what it was a moment ago.
   */
  async #handOutTail(file: SourceFile, open: OpenFile, target: RangeTarget): Promise<boolean> {
    const { quietMs, clock } = this.options;
    const isNew = file.hasTail || file.visitedTo !== file.size;
    file.hasTail = file.isGzip ? isNew : file.size > file.position.byteOffset;
    if (!file.hasTail || !file.isQuiet(quietMs, clock.monotonicMs(), clock.now())) return true;
    const range = this.#range(file, await fingerprintAt(open, file.size, file.fingerprint));
    let largestMs = MIN_TIMESTAMP_MS;
    try {
      const { end, records } = await readRange(range, this.options, {
        emit: (_file, { timestampMs }) => {
          if (timestampMs !== undefined && timestampMs > largestMs) largestMs = timestampMs;
        },
        room: () => undefined,
      });
      if (records > 0 || end.byteOffset > range.start.byteOffset) target.add(range, largestMs);
      moveTo(file, end);
    } catch (error) {
      if (!(error instanceof FileChangedError)) throw error;
      file.isSuspect = true;
      return false;
    }
    file.hasTail = false;
    return true;
  }

  /** All of the file as it is now, from where it was handed out to. */
  #range(file: SourceFile, content: Fingerprint): FileRange {
    const stored = file.toStored();
    const { headHash: head_hash, tailHash: tail_hash } = stored;
    const row = { ...toRow(stored), head_hash, tail_hash, file_order: 0, is_tail_complete: true };
    const lineage = this.options.lineage();
    const planned = { ...row, ...plannedUpTo(content) };
    return { file: planned, start: positionOf(stored), byteEnd: content.rawOffset, end: null, lineage };
  }
}

function plannedUpTo({ rawOffset, headHash, tailHash }: Fingerprint) {
  return { byte_end: rawOffset, planned_head_hash: headHash, planned_tail_hash: tailHash };
}

function moveTo(file: SourceFile, next: FilePosition): void {
  const { byteOffset, line, header, rawOffset, headHash, tailHash } = next;
  file.position = { byteOffset, line, header };
  file.fingerprint = { rawOffset, headHash, tailHash };
  file.state = next.state;
  file.endedAtByte = next.endedAtByte;
  file.endedAtLine = next.endedAtLine;
  file.changed();
}
