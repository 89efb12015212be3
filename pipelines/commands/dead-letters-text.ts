/** Dead letters as people read them: one line each, or one in full; nothing of a record is obeyed by a terminal. */
import type { DeadLetterDetail, DeadLetterRetry, DeadLetterSummary } from "../../runners/job/job-view.js";
import { escaped } from "../../sql/printable.js";

/** Lines of a list, newest first: columns as wide as their widest cell. */
export function listLines(letters: readonly DeadLetterSummary[]): string[] {
  const head = ["id", "reason", "where", "came", "retry", "messages"];
  const rows = letters.map((letter) => [
    letter.id,
    safe(letter.reason),
    safe(`${letter.sourceFile}:${letter.line}`),
    timeOf(letter.createdAtMs),
    letter.retry?.status ?? "-",
    safe(letter.messages.join("; ")),
  ]);
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** One letter: where it stood, why it is one, its fields, its bytes, and what came of trying it again. */
export function detailLines(letter: DeadLetterDetail): string[] {
  const { sourceFile, generation, line, byteStart, byteEnd, fields, retry } = letter;
  const lines = [
    `dead letter ${letter.id}: ${safe(letter.reason)}`,
    `${safe(sourceFile)}, generation ${generation}, line ${line}, bytes ${byteStart} to ${byteEnd}; epoch ${letter.epoch}, ${timeOf(letter.createdAtMs)}`,
    ...letter.messages.map((message) => `  ${safe(message)}`),
  ];
  if (retry !== null) lines.push(`retry: ${retrySentence(retry)}`);
  if (fields !== null) {
    const width = Math.max(...fields.map(({ name }) => safe(name).length));
    lines.push("", "fields:");
    for (const { name, value, isFailing } of fields)
      lines.push(`${isFailing ? "!" : " "} ${safe(name).padEnd(width)}  ${safe(value)}`.trimEnd());
  }
  const isText = letter.text !== null;
  lines.push("", isText ? "record:" : "record, which is no UTF-8 (bytes as \\xHH):");
  lines.push(isText ? safe(letter.text as string) : bytesAsText(Buffer.from(letter.rawBase64, "base64")));
  return lines;
}

/** `written in epoch 12, asked for by root@host (2 attempts)`, and why it was rejected. */
export function retrySentence(retry: DeadLetterRetry): string {
  const { status, by, atMs, epoch, reason, messages, attempts } = retry;
  if (status === "requested") return `pending, asked for by ${safe(by)} at ${timeOf(atMs)}`;
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  const why = status === "rejected" ? `: ${safe([`${reason}`, ...messages].join("; "))}` : "";
  return `${status} in epoch ${epoch}, asked for by ${safe(by)} (${tries})${why}`;
}

/** On one line, with what a terminal would obey, or what turns the direction of text, escaped. */
function safe(text: string): string {
  return escaped(text).replaceAll(
    /[\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Printable ASCII as it is, every other byte as `\xHH`. */
function bytesAsText(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replaceAll(
      /[^\x20-\x5b\x5d-\x7e]/g,
      (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
