/** CsvScanner compared with csv-parse, and with itself over other chunks and resumed elsewhere, on random files. */
import { expect } from "chai";
import fc from "fast-check";
import { checkProperty } from "../support/check-property.js";
import { cut, rowsByCsvParse, rowsByScanner, scannerAt, scannerAtStart } from "./csv-oracle.js";

const BYTE_ORDER_MARK = "\ufeff";
// csv-parse takes a NUL after a closing quote for the end of the file, so there is none in these files.
const text = fc.string({
  unit: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("a", "b", " ", ",", ";", '"', "\n", "\r", "\r\n") },
    { weight: 1, arbitrary: fc.constantFrom("é", "€", "\u{1f600}", "\u2028", BYTE_ORDER_MARK) },
  ),
  maxLength: 12,
});
const lineEnd = fc.constantFrom("\n", "\r\n", "\n\n", "\r\n\r\n", "\n\r\n");
const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
const beginning = fc.constantFrom("", BYTE_ORDER_MARK, "\n", "\r\n\n");

/** Files as a CSV writer makes them: quotes where they are needed and elsewhere. */
const wellFormedFile = fc
  .tuple(
    beginning,
    fc.array(fc.tuple(fc.array(fc.tuple(text, fc.boolean()), { minLength: 1, maxLength: 4 }), lineEnd), {
      maxLength: 12,
    }),
    fc.boolean(),
  )
  .map(([start, records, isLastLineEnded]) => {
    const lines = records.map(([fields, end], i) => {
      const line = fields.map(([field, isQuoted]) => csvField(field, isQuoted)).join(",");
      return i === records.length - 1 && !isLastLineEnded ? line : line + end;
    });
    return Buffer.from(start + lines.join(""));
  });

function csvField(field: string, isQuoted: boolean): string {
  return isQuoted || /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

/** Files in which quotes, delimiters and line ends stand anywhere. */
const anyFile = fc
  .tuple(
    beginning,
    fc.array(fc.constantFrom("a", "é", ",", '"', "\n", "\r", '","', '"\n', '\n"'), { maxLength: 40 }),
  )
  .map(([start, parts]) => Buffer.from(start + parts.join("")));

const someFile = fc.oneof(wellFormedFile, anyFile);
/** Also bytes that are not UTF-8. */
const someBytes = fc.oneof(
  someFile,
  fc
    .array(fc.constantFrom(0x22, 0x2c, 0x0a, 0x0d, 0x61, 0xc3, 0xa9, 0xff), { maxLength: 40 })
    .map((bytes) => Buffer.from(bytes)),
);

describe("CsvScanner against csv-parse", () => {
  it("finds the same records, lines and bytes in well-formed files, in chunks of any size", () => {
    const property = fc.property(wellFormedFile, chunkSizes, (bytes, sizes) => {
      const expected = rowsByCsvParse(bytes, ",");
      expect(rowsByScanner(scannerAtStart(), cut(bytes, sizes))).to.deep.equal(expected);
      for (const { content } of expected) expect(content).to.be.an("array");
    });
    checkProperty(property, 1000);
  });

  it("finds the same records and the same bad quotes in files where quotes stand anywhere", () => {
    const property = fc.property(anyFile, chunkSizes, (bytes, sizes) => {
      expect(rowsByScanner(scannerAtStart(), cut(bytes, sizes))).to.deep.equal(rowsByCsvParse(bytes, ","));
    });
    checkProperty(property, 2000);
  });

  it("finds the same records with another delimiter", () => {
    const property = fc.property(fc.constantFrom(";", "\t", "|", "a", " "), someFile, (delimiter, bytes) => {
      const scanner = scannerAtStart({ delimiter: delimiter.charCodeAt(0) });
      expect(rowsByScanner(scanner, [bytes])).to.deep.equal(rowsByCsvParse(bytes, delimiter));
    });
    checkProperty(property, 300);
  });
});

describe("CsvScanner on random files", () => {
  it("finds the same in chunks of each size from 1 to the whole file", () => {
    const property = fc.property(someBytes, fc.integer({ min: 1, max: 30 }), (bytes, recordBytesMax) => {
      const expected = rowsByScanner(scannerAtStart({ recordBytesMax }), [bytes]);
      for (let size = 1; size < bytes.length; size++) {
        const rows = rowsByScanner(scannerAtStart({ recordBytesMax }), cut(bytes, [size]));
        expect(rows).to.deep.equal(expected);
      }
    });
    checkProperty(property, 500);
  });

  it("finds the same when all chunks and the end are given before the first record is asked for", () => {
    const property = fc.property(someBytes, chunkSizes, (bytes, sizes) => {
      const scanner = scannerAtStart();
      for (const chunk of cut(bytes, sizes)) scanner.push(chunk);
      scanner.end();
      expect(rowsByScanner(scanner, [])).to.deep.equal(rowsByScanner(scannerAtStart(), [bytes]));
    });
    checkProperty(property, 500);
  });

  it("resumes after every record with the same rest", () => {
    const property = fc.property(
      someBytes,
      chunkSizes,
      fc.integer({ min: 1, max: 30 }),
      (bytes, sizes, max) => {
        const options = { recordBytesMax: max };
        const scanner = scannerAtStart(options);
        const rows = rowsByScanner(scanner, [bytes]);
        const lineAt = (offset: number): number =>
          bytes.subarray(0, offset).toString("latin1").split("\n").length;
        for (const [i, { next }] of rows.entries()) {
          const resumed = scannerAt({ byteOffset: next, line: lineAt(next) }, options);
          expect(rowsByScanner(resumed, cut(bytes.subarray(next), sizes))).to.deep.equal(rows.slice(i + 1));
        }
        expect(scanner.nextLine).to.equal(lineAt(bytes.length));
      },
    );
    checkProperty(property, 500);
  });

  it("reads what is pushed after an end like a scanner resumed at its position", () => {
    const property = fc.property(someBytes, fc.nat(40), chunkSizes, (bytes, cutAt, sizes) => {
      const [before, after] = [bytes.subarray(0, cutAt), bytes.subarray(cutAt)];
      const scanner = scannerAtStart();
      const rowsBefore = rowsByScanner(scanner, [before]);
      const resumed = scannerAt({ byteOffset: scanner.nextByteOffset, line: scanner.nextLine });
      expect(scanner.nextByteOffset).to.equal(before.length);
      const rowsAfter = rowsByScanner(resumed, [after]);
      expect(rowsByScanner(scanner, cut(after, sizes))).to.deep.equal(rowsAfter);
      const givenAtOnce = scannerAtStart();
      givenAtOnce.push(before);
      givenAtOnce.end();
      expect(rowsByScanner(givenAtOnce, [after])).to.deep.equal([...rowsBefore, ...rowsAfter]);
    });
    checkProperty(property, 500);
  });
});
