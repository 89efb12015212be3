/** A dead letter's message made safe to store and to print: one line, no control characters, bounded. */

/** Most bytes of UTF-8 that a message may take. */
export const messageBytesMax = 200;

/**
 * Escapes control characters, line separators and lone surrogates as `\uXXXX`, and cuts at
 * `messageBytesMax` bytes of UTF-8, `…` included. Neither a code point nor an escape is split, so the result
 * is always text that PostgreSQL's `jsonb` takes. For people: the record's raw bytes are the truth.
 */
export function messageText(text: string): string {
  // Every UTF-16 unit is at least one byte, so nothing behind the limit can be part of the result.
  const head = text.length > messageBytesMax ? text.slice(0, messageBytesMax) : text;
  if (PRINTABLE_ASCII.test(head)) {
    return head === text ? text : head.slice(0, messageBytesMax - ELLIPSIS_BYTES) + ELLIPSIS;
  }
  let message = "";
  let bytes = 0;
  let cutAt = 0;
  for (const character of text) {
    const codePoint = character.codePointAt(0)!;
    const piece = mustBeEscaped(codePoint) ? escaped(codePoint) : character;
    bytes += piece === character ? utf8Bytes(codePoint) : piece.length;
    if (bytes > messageBytesMax) return message.slice(0, cutAt) + ELLIPSIS;
    message += piece;
    if (bytes <= messageBytesMax - ELLIPSIS_BYTES) cutAt = message.length;
  }
  return message;
}

const PRINTABLE_ASCII = /^[ -~]*$/;
const ELLIPSIS = "…";
const ELLIPSIS_BYTES = 3;

function mustBeEscaped(codePoint: number): boolean {
  if (codePoint < 0xa0) return codePoint < 0x20 || codePoint >= 0x7f;
  // Readers of NDJSON in other languages take these two for ends of a line.
  if (codePoint === 0x2028 || codePoint === 0x2029) return true;
  return codePoint >= 0xd800 && codePoint <= 0xdfff;
}

function escaped(codePoint: number): string {
  return `\\u${codePoint.toString(16).padStart(4, "0")}`;
}

function utf8Bytes(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}
