/** A dead letter of the graph as a row of the table `dead_letters`. */
import type { DeadLetter as LetterRow } from "../sql/dead-letters.js";
import type { DeadLetter } from "./input-record.js";

export function letterRowOf({ record, problem }: DeadLetter): LetterRow {
  const { file, line, byteStart, byteEnd, raw } = record;
  const { fileId, generation, path: sourceFile } = file;
  const { reason, messages } = problem;
  return { fileId, generation, sourceFile, line, byteStart, byteEnd, reason, messages, raw };
}
