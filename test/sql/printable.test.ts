/** printable(): messages always storable, always bounded, never with half a code point. */
import { expect } from "chai";
import fc from "fast-check";
import { MESSAGE_BYTES_MAX, printable } from "../../sql/printable.js";
import { seeded } from "../support/property-seed.js";

const x = (count: number) => "x".repeat(count);

const rows: readonly (readonly [why: string, text: string, message: string])[] = [
  ["leaves printable text", 'price: must be a number, got "1e5"', 'price: must be a number, got "1e5"'],
  ["leaves text in any script", "größe: 大きさ 📏", "größe: 大きさ 📏"],
  ["leaves an empty text", "", ""],
  ["escapes NUL", "a\0b", "a\\u0000b"],
  ["escapes line ends and tabs as people write them", "a\r\n\tb", "a\\r\\n\\tb"],
  ["escapes escape sequences of a terminal", "\u001b[31m", "\\u001b[31m"],
  ["escapes DEL and C1 controls", "\u007f\u0080\u009f", "\\u007f\\u0080\\u009f"],
  ["escapes line and paragraph separators", "\u2028\u2029", "\\u2028\\u2029"],
  ["escapes lone surrogates", "\ud800x\udc00", "\\ud800x\\udc00"],
  ["leaves exactly 200 bytes", x(200), x(200)],
  ["cuts 201 bytes", x(201), `${x(197)}…`],
  ["leaves 200 bytes of wide characters", `xx${"大".repeat(66)}`, `xx${"大".repeat(66)}`],
  ["cuts between wide characters", "大".repeat(67), `${"大".repeat(65)}…`],
  ["does not split an astral character at the end", `${x(196)}📏📏`, `${x(196)}…`],
  ["keeps an astral character that just fits", `${x(193)}📏${x(4)}`, `${x(193)}📏…`],
  ["does not split an escape", `${x(195)}\0\0`, `${x(195)}…`],
  ["counts an escape as what it is written as", `${x(194)}\0`, `${x(194)}\\u0000`],
  ["leaves quotes and backslashes", "price 'é' \\ \"😀\"", "price 'é' \\ \"😀\""],
  ["shows halves that are no pair", "a\ud83db\ude00", "a\\ud83db\\ude00"],
  ["keeps 200 bytes of accents whole", "é".repeat(100), "é".repeat(100)],
  ["cuts between characters", `${"é".repeat(100)}a`, `${"é".repeat(98)}…`],
  ["cuts no pair", "😀".repeat(51), `${"😀".repeat(49)}…`],
  ["cuts no escape of many", "\0".repeat(34), `${"\\u0000".repeat(32)}…`],
  ["cuts a text far too long", `é${x(1_000_000)}`, `é${x(195)}…`],
];

describe("printable()", () => {
  for (const [why, text, message] of rows) {
    it(why, () => {
      expect(printable(text)).to.equal(message);
      expect(Buffer.byteLength(printable(text))).to.be.at.most(MESSAGE_BYTES_MAX);
    });
  }

  it("gives well-formed text of at most 200 bytes without control characters, for any text", () => {
    const unit = fc.oneof(
      fc.string({ unit: "binary", maxLength: 3 }),
      fc.constantFrom("\0", "\n", "é", "大", "📏", "\ud800", "\udc00", "plain text"),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 250 }), (parts) => {
        const message = printable(parts.join(""));
        expect(Buffer.byteLength(message)).to.be.at.most(MESSAGE_BYTES_MAX);
        expect(message).to.not.match(/[\p{Cc}\p{Cs}\u2028\u2029]/u);
        expect(printable(message)).to.equal(message);
      }),
      seeded({ numRuns: 300 }),
    );
  });
});
