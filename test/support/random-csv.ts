/** CSV as a careless program writes it: quotes of every kind, blank lines, long fields, no last line end. */
import type { Choice } from "./seeded-choice.js";

/** A file with header, or an empty one. */
export function randomCsv(choice: Choice): string {
  if (choice.isHit(0.05)) return "";
  const header = choice.of(["text,n", "n,text,more", '"text","n"', "\ufefftext,n", "text", "\n\ntext,n"]);
  const lineEnd = choice.of(["\n", "\r\n"]);
  const cell = () =>
    choice.of([
      "plain",
      "é",
      "2026-01-01T00:00:00Z",
      '"quoted"',
      '"a ""double"" one"',
      `"over${lineEnd}${lineEnd}lines"`,
      'stray "quote',
      '"closed"too late',
      '"never closed',
      "l".repeat(choice.between(1, 350)),
      "",
    ]);
  const line = () =>
    choice.of([`${cell()},${cell()}`, `${cell()},${cell()}`, `${cell()},${cell()},${cell()}`, "", cell()]);
  const lines = Array.from({ length: choice.between(0, 40) }, line);
  const last = choice.isHit(0.4) ? "" : lineEnd;
  return [header, ...lines].join(lineEnd) + last;
}
