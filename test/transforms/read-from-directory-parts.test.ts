/** The small parts of the directory source: names, ranges, the tape. */
import { expect } from "chai";
import {
  asideName,
  createNameFilter,
  parseAsideName,
} from "../../transforms/read-from-directory/name-filter.js";
import { RecordRangeTracker } from "../../transforms/read-from-directory/record-range.js";
import { Tape } from "../../transforms/read-from-directory/tape.js";

describe("createNameFilter()", () => {
  const table: [globs: string[], yes: string[], no: string[]][] = [
    [
      ["*.csv"],
      ["a.csv", "d/a.csv", "a\nb.csv", "\u{1f600}.csv"],
      ["a.CSV", "a.csv.gz", "acsv", ".a.csv", "_a.csv"],
    ],
    [["a?.csv"], ["ab.csv"], ["a.csv", "abc.csv"]],
    [
      ["[a-c]*.csv", "[!a-z]1.csv"],
      ["bx.csv", "A1.csv"],
      ["dx.csv", "z1.csv"],
    ],
    [["*.{csv,tsv}"], ["a.csv", "a.tsv"], ["a.txt", "a.{csv,tsv}"]],
    [["in/*.csv"], ["in/a.csv"], ["a.csv", "in/x/a.csv", "x/in/a.csv"]],
    [["in/**/*.csv"], ["in/a.csv", "in/x/y/a.csv"], ["a.csv"]],
    [["a+(b).csv"], ["a+(b).csv"], ["aab.csv"]],
    [["*"], ["a"], ["a.tmp", "a.partial", ".a", "_a"]],
  ];
  for (const [globs, yes, no] of table) {
    it(`takes ${yes.map((name) => JSON.stringify(name)).join(", ")} by ${globs.join(", ")}`, () => {
      const isInput = createNameFilter(globs);
      expect(yes.filter((name) => !isInput(name))).to.deep.equal([]);
      expect(no.filter((name) => isInput(name))).to.deep.equal([]);
    });
  }

  it("refuses patterns that never end", () => {
    expect(() => createNameFilter(["[a"])).to.throw('file name pattern "[a": "[" is never closed');
    expect(() => createNameFilter(["{a"])).to.throw('file name pattern "{a": "{" is never closed');
    expect(() => createNameFilter([""])).to.throw("a file name pattern must not be empty");
  });

  it("asideName() is read back, whatever the name", () => {
    for (const name of ["a.csv", "1.2.csv", "a\nb.csv.gz"]) {
      expect(parseAsideName(asideName(7, name))).to.deep.equal({ fileId: 7, name });
    }
    expect(parseAsideName(".millrace-done.x.csv")).to.equal(undefined);
  });
});

describe("RecordRangeTracker", () => {
  it("claims up to a checkpoint, and the rest goes on from there", () => {
    const tracker = new RecordRangeTracker({ start: 5, end: null });
    expect([tracker.tryClaim(5), tracker.tryClaim(6)]).to.deep.equal([true, true]);
    expect(tracker.trySplit(0)).to.deep.equal({
      primary: { start: 5, end: 7 },
      residual: { start: 7, end: null },
    });
    expect(tracker.tryClaim(7)).to.equal(false);
    expect(tracker.trySplit(0)).to.equal(undefined);
    expect(tracker.currentRestriction()).to.deep.equal({ start: 5, end: 7 });
  });

  it("refuses claims that go back", () => {
    const tracker = new RecordRangeTracker({ start: 0, end: null });
    tracker.tryClaim(3);
    expect(() => tracker.tryClaim(3)).to.throw("record 3 was claimed after record 3");
  });
});

describe("Tape", () => {
  it("gives back ranges over chunks until they are trimmed", () => {
    const tape = new Tape(3, Buffer.from("abc"));
    for (const chunk of ["def", "g\nh", "\n"]) tape.push(Buffer.from(chunk));
    expect(tape.slice(2, 7).toString()).to.equal("cdefg");
    expect(tape.newlines(0, 10)).to.equal(2);
    tape.trim(5);
    expect(tape.slice(3, 5).toString()).to.equal("de");
    tape.trim(6);
    expect(() => tape.slice(5, 7)).to.throw("bytes 5-7 are not on the tape (6-10)");
  });

  it("stays small over a giant record, and keeps its beginning, its end and its lines", () => {
    const tape = new Tape(0, Buffer.alloc(0));
    const chunk = Buffer.alloc(65_536, "x");
    chunk[100] = 10;
    for (let i = 0; i < 1000; i++) tape.push(chunk);
    expect(tape.end).to.equal(65_536_000);
    expect(tape.newlines(0, tape.end)).to.equal(1000);
    expect(tape.slice(0, tape.end).length).to.be.within(1_048_576, 1_310_720);
    expect(tape.slice(tape.end - 100_000, tape.end).length).to.equal(100_000);
  });
});
