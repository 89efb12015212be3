/** What the steps of the distributed source hand to each other: planned files and ranges of them, as plain JSON. */
import type { PlannedFileRow } from "../../sql/planned-files.js";
import type { Fingerprint } from "./fingerprint.js";
import { Changes, SourceFile } from "./source-file.js";
import type { StoredFile } from "./source-positions.js";
import { fromRow } from "./stored-positions.js";

/** Where a reader of a file stands: all that goes into the file's row. */
export type FilePosition = Pick<
  StoredFile,
  | "byteOffset"
  | "line"
  | "header"
  | "rawOffset"
  | "headHash"
  | "tailHash"
  | "state"
  | "endedAtByte"
  | "endedAtLine"
>;

/** A part of a planned file that begins at a record. */
export interface FileRange {
  readonly file: PlannedFileRow;
  readonly start: FilePosition;
  /** First byte that is not read: a record's start, or where the plan of the file ends; as stored for `.gz`. */
  readonly byteEnd: number;
  /** Of what is before `byteEnd`; null in the last range of the file. */
  readonly end: Fingerprint | null;
  readonly lineage: number;
}

/** Where the reading of a range ended. */
export interface RangeEnd extends FilePosition {
  /** All that was planned of the file is read with it. */
  readonly isLast: boolean;
}

export function positionOf(file: StoredFile): FilePosition {
  const { byteOffset, line, header, rawOffset, headHash, tailHash, state, endedAtByte, endedAtLine } = file;
  return { byteOffset, line, header, rawOffset, headHash, tailHash, state, endedAtByte, endedAtLine };
}

/** The whole of a planned file as one range. */
export function wholeRange(file: PlannedFileRow): FileRange {
  return { file, start: positionOf(fromRow(file)), byteEnd: file.byte_end, end: null, lineage: 0 };
}

/** The file as a reader of the range takes it: it ends where the range does. */
export function sourceFileOf({ file, start, byteEnd }: FileRange): SourceFile {
  const source = SourceFile.fromStored(
    { ...fromRow(file), ...start },
    Number.NEGATIVE_INFINITY,
    new Changes(),
  );
  source.limit = byteEnd;
  return source;
}
