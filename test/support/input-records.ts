/** Records as a reader would give them, made by hand. */
import { type FileRef, InputRecord, type Problem } from "../../transforms/input-record.js";

const file: FileRef = { fileId: 1, generation: 0, path: "events.csv" };

/** A record with these fields, on line 2 of `events.csv`. */
export function recordOf(fields: Readonly<Record<string, string>>): InputRecord {
  return inputRecord({ fields });
}

/** A record that its reader already found to be bad. */
export function problemRecord(problem: Problem): InputRecord {
  return inputRecord({ problem });
}

/** A record with fields, a problem, or (a bug of its reader) neither. */
export function inputRecord(content: {
  fields?: Readonly<Record<string, string>>;
  problem?: Problem;
}): InputRecord {
  const raw = Buffer.from("raw bytes");
  return new InputRecord(file, {
    ...content,
    line: 2,
    byteStart: 60,
    byteEnd: 69,
    chunk: raw,
    chunkStart: 0,
  });
}
