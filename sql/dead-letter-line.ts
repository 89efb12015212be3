/** A dead letter as a line of NDJSON. */
import { type DeadLetter, printableMessages } from "./dead-letters.js";

/** The line with its end; `raw` is base64 when the bytes are no valid UTF-8 (`raw_encoding` says which). */
export function deadLetterLine(letter: DeadLetter, pipeline: string, epoch: number): string {
  const { raw } = letter;
  const text = raw.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(raw);
  return `${JSON.stringify({
    pipeline,
    epoch,
    source_file: letter.sourceFile,
    file_id: letter.fileId,
    generation: letter.generation,
    line: letter.line,
    byte_start: letter.byteStart,
    byte_end: letter.byteEnd,
    reason: letter.reason,
    messages: printableMessages(letter.messages),
    raw: isText ? text : raw.toString("base64"),
    raw_encoding: isText ? "utf8" : "base64",
  })}\n`;
}
