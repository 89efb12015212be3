/** The bytes of a record as people can read and edit them: base 64, hexadecimal and text. */

export interface HexLine {
  /** Of its first byte, eight hexadecimal digits. */
  readonly offset: string;
  readonly hex: string;
  /** What is printable ASCII, a point for the rest. */
  readonly ascii: string;
}

const bytesPerLine = 16;

/** @throws RangeError where it is no base 64. */
export function fromBase64(text: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch (cause) {
    throw new RangeError(`Bytes come as base 64, got "${text.slice(0, 20)}"`, { cause });
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function toBase64(raw: Uint8Array): string {
  let binary = "";
  for (const byte of raw) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export function hexLines(raw: Uint8Array, linesMax = 4_096): HexLine[] {
  const lines: HexLine[] = [];
  for (let at = 0; at < raw.length && lines.length < linesMax; at += bytesPerLine) {
    const part = raw.subarray(at, at + bytesPerLine);
    lines.push({
      offset: at.toString(16).padStart(8, "0"),
      hex: hexOf(part),
      ascii: Array.from(part, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join(
        "",
      ),
    });
  }
  return lines;
}

/** `6f 6b 0a`. */
export function hexOf(raw: Uint8Array): string {
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Takes what `hexOf` gives, and any white space between the digits. @throws RangeError that says what is wrong. */
export function parseHex(text: string): Uint8Array {
  const wrong = /[^0-9a-fA-F\s]/.exec(text);
  if (wrong !== null)
    throw new RangeError(`Hexadecimal has digits 0-9 and a-f only, got "${wrong[0]}" at ${wrong.index}`);
  const digits = text.replaceAll(/\s+/g, "");
  if (digits.length % 2 !== 0) {
    throw new RangeError(`A byte has two hexadecimal digits, got ${digits.length} digits in all`);
  }
  const raw = new Uint8Array(digits.length / 2);
  for (let at = 0; at < raw.length; at++) raw[at] = Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  return raw;
}

export interface Run {
  readonly text: string;
  /** The name of a character that cannot be seen, instead of the character. */
  readonly isSign: boolean;
}

const signs: Readonly<Record<number, string>> = {
  0: "NUL",
  9: "TAB",
  10: "LF",
  13: "CR",
  27: "ESC",
  127: "DEL",
};

/** A text in runs: what is seen as it is, and what cannot be seen, or would move the rest, by its name. */
export function visibleRuns(text: string): Run[] {
  const runs: Run[] = [];
  let plain = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0x20 && code !== 0x7f && !isBlank(code)) {
      plain += character;
      continue;
    }
    if (plain !== "") runs.push({ text: plain, isSign: false });
    plain = "";
    runs.push({ text: signs[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`, isSign: true });
  }
  if (plain !== "") runs.push({ text: plain, isSign: false });
  return runs;
}

/** Turns the reading direction, has no width, or looks like a blank. */
function isBlank(code: number): boolean {
  return (
    (code >= 0x80 && code <= 0xa0) ||
    code === 0xad ||
    code === 0x61c ||
    (code >= 0x2000 && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202f) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0x3000 ||
    code === 0xfeff
  );
}
