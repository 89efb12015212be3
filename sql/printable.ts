/** Text from anywhere made fit to store and to print: one line, no control characters, messages bounded. */

/** Most bytes of UTF-8 that a message may take. */
export const MESSAGE_BYTES_MAX = 200;

/**
 * A message as people can read it and databases store it: control characters as `\n`, `\t` or `\u0000`, separators
 * of lines and half a surrogate pair as `\ud800`, cut at 200 bytes of UTF-8, `…` included. Neither a character nor
 * an escape is split. For people: where it quotes a record, the record's bytes are the truth.
 */
export function printable(message: string): string {
  // what comes after the first 200 characters is after the first 200 bytes, too
  const start = escapedWhere(MESSAGE_UNPRINTABLE, message.slice(0, MESSAGE_BYTES_MAX + 1));
  if (Buffer.byteLength(start) <= MESSAGE_BYTES_MAX) return start;
  const parts: string[] = [];
  let bytes = Buffer.byteLength(CUT);
  for (const part of start.match(ESCAPES_AND_CHARACTERS) ?? []) {
    bytes += Buffer.byteLength(part);
    if (bytes > MESSAGE_BYTES_MAX) break;
    parts.push(part);
  }
  return parts.join("") + CUT;
}

/** The text with what `jsonb` or a terminal may stumble over escaped likewise, in full length. */
export function escaped(text: string): string {
  return escapedWhere(UNPRINTABLE, text);
}

const CUT = "…";
/** With the u flag a pair is one character, so that `\p{Cs}` finds only halves. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;
/** Readers of NDJSON in other languages take the last two for ends of a line. */
const MESSAGE_UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/gu;
const ESCAPES_AND_CHARACTERS = /\\u[0-9a-f]{4}|\\[nrt]|./gsu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapedWhere(unprintable: RegExp, text: string): string {
  return text.replaceAll(unprintable, (character) => {
    return SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
