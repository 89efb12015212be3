/** Where CsvScanner stands between records, and how much work it does. */
import { expect } from "chai";
import type { CsvScanner } from "../../transforms/csv-scanner.js";
import { cut, describeRecord, recordsOf, rowsByScanner, scannerAtStart } from "./csv-oracle.js";

describe("CsvScanner position", () => {
  function positionOf(scanner: CsvScanner): string {
    return `${scanner.nextByteOffset} @${scanner.nextLine}`;
  }

  it("stands after the last record and its line end, never behind an incomplete one", () => {
    const scanner = scannerAtStart();
    scanner.push(Buffer.from('a\r\n"b\nc"\nd'));
    const positions = [positionOf(scanner)];
    while (scanner.next()) positions.push(positionOf(scanner));
    expect(positions).to.deep.equal(["0 @1", "3 @2", "9 @4"]);
    expect(positionOf(scanner)).to.equal("9 @4");
  });

  it("passes complete blank lines when the next record is looked for", () => {
    const scanner = scannerAtStart();
    scanner.push(Buffer.from("a\n\n\r\n\r"));
    scanner.next();
    expect(positionOf(scanner)).to.equal("2 @2");
    expect(scanner.next()).to.equal(false);
    expect(positionOf(scanner)).to.equal("5 @4");
  });

  it("stays before an oversized record until its line end is found", () => {
    const scanner = scannerAtStart({ recordBytesMax: 4 });
    scanner.push(Buffer.from("a\nbcdefghijklm"));
    expect([scanner.next(), scanner.next(), positionOf(scanner)]).to.deep.equal([true, false, "2 @2"]);
    scanner.push(Buffer.from("nop"));
    expect([scanner.next(), positionOf(scanner)]).to.deep.equal([false, "2 @2"]);
    scanner.push(Buffer.from("\nq"));
    expect([scanner.next(), describeRecord(scanner)]).to.deep.equal([
      true,
      '!record_too_long @2 2-17 "bcde"',
    ]);
    expect(positionOf(scanner)).to.equal("18 @3");
  });

  it("after an end stands on the same line, and what follows there is a record of its own", () => {
    const scanner = scannerAtStart();
    scanner.push(Buffer.from("a,b\nc,"));
    scanner.end();
    expect(recordsOf(scanner)).to.deep.equal(['a|b @1 0-3 "a,b"', 'c| @2 4-6 "c,"']);
    expect(positionOf(scanner)).to.equal("6 @2");
    scanner.push(Buffer.from("d\ne,f\n"));
    expect(recordsOf(scanner)).to.deep.equal(['d @2 6-7 "d"', 'e|f @3 8-11 "e,f"']);
  });

  it("after an end takes a late line end for a blank line", () => {
    const scanner = scannerAtStart();
    scanner.push(Buffer.from("a"));
    scanner.end();
    expect(recordsOf(scanner)).to.deep.equal(['a @1 0-1 "a"']);
    scanner.push(Buffer.from("\nb\n"));
    expect(recordsOf(scanner)).to.deep.equal(['b @2 2-3 "b"']);
  });

  it("an end without bytes changes nothing", () => {
    const scanner = scannerAtStart();
    for (const part of ["", "\ufeffa\n", ""]) {
      scanner.push(Buffer.from(part));
      scanner.end();
      scanner.end();
    }
    expect(recordsOf(scanner)).to.deep.equal(['a @1 3-4 "a"']);
    expect(positionOf(scanner)).to.equal("5 @2");
  });
});

describe("CsvScanner work", () => {
  const MIB = 1024 * 1024;

  /** Scanned and copied bytes for each byte of the file. */
  function workPerByte(bytes: Buffer, chunkBytes: number): { rows: number; scanned: number; copied: number } {
    const scanner = scannerAtStart({ recordBytesMax: MIB });
    const rows = rowsByScanner(scanner, cut(bytes, [chunkBytes])).length;
    return { rows, scanned: scanner.scannedBytes / bytes.length, copied: scanner.copiedBytes / bytes.length };
  }

  it("is linear for a record of 1 MiB in chunks of 1 byte", () => {
    for (const line of ["abcdefg,", "a,\n\r\n,,,", '""""""\n\n']) {
      const bytes = Buffer.from(`"${line.repeat(MIB / 8 - 1)}"\n`);
      const { rows, scanned, copied } = workPerByte(bytes, 1);
      expect(rows, line).to.equal(1);
      expect(scanned, line).to.be.below(1.01);
      expect(copied, line).to.be.below(4);
    }
  });

  it("is linear for short records in chunks of any size", () => {
    const bytes = Buffer.from("0123456789,abcdef\n".repeat(10_000));
    for (const chunkBytes of [1, 2, 7, 17, 18, 19, 1000, 65_536]) {
      const { rows, scanned, copied } = workPerByte(bytes, chunkBytes);
      expect(rows).to.equal(10_000);
      expect(scanned).to.be.below(1.01);
      expect(copied).to.be.below(4);
    }
  });

  it("is linear after quotes that are never closed", () => {
    const bytes = Buffer.from(`a,"b\n${"c,d\n".repeat(MIB)}`);
    const { rows, scanned, copied } = workPerByte(bytes, 65_536);
    expect(rows).to.equal(MIB + 1);
    expect(scanned).to.be.below(2);
    expect(copied).to.be.below(4);
  });

  it("keeps no more than the cap of a record that is too long", () => {
    const scanner = scannerAtStart({ recordBytesMax: 1000 });
    const chunk = Buffer.alloc(65_536, "x");
    for (let i = 0; i < 100; i++) {
      scanner.push(chunk);
      expect(scanner.next()).to.equal(false);
    }
    scanner.push(Buffer.from("\n"));
    expect(scanner.next()).to.equal(true);
    expect([scanner.defect, scanner.byteEnd]).to.deep.equal(["record_too_long", 6_553_600]);
    expect(scanner.chunk.length).to.equal(1000);
    expect(scanner.copiedBytes).to.equal(0);
  });
});
