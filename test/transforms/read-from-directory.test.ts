/** The directory source on real files: order, growth, quiet, bundles, restarts. */
import { appendFile, mkdir, rename, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { LINES_WITH_HEADER } from "../support/line-format.js";
import { SourceDirectory } from "../support/source-directory.js";

describe("readFromDirectory()", () => {
  let directory: SourceDirectory;
  const at = (name: string) => directory.at(name);
  const host: SourceDirectory["host"] = (...args) => directory.host(...args);
  const writeAged: SourceDirectory["writeAged"] = (...args) => directory.writeAged(...args);

  beforeEach(async () => {
    directory = await SourceDirectory.create();
  });
  afterEach(() => directory.remove());

  it("reads files by mtime, then name, then offset", async () => {
    await writeAged("c.csv", "c1\nc2\n", 50_000);
    await writeAged("b.csv", "b1\n", 40_000);
    await writeAged("a.csv", "a1\n", 40_000);
    const source = host();
    expect(await source.settle()).to.deep.equal(["c1", "c2", "a1", "b1"]);
    expect(
      source.committed.map(({ fileId, path, line, byteStart, byteEnd, timestampMs }) => ({
        fileId,
        path,
        line,
        byteStart,
        byteEnd,
        timestampMs,
      })),
    ).to.deep.equal([
      { fileId: 1, path: "c.csv", line: 1, byteStart: 0, byteEnd: 2, timestampMs: 1000 },
      { fileId: 1, path: "c.csv", line: 2, byteStart: 3, byteEnd: 5, timestampMs: 1000 },
      { fileId: 2, path: "a.csv", line: 1, byteStart: 0, byteEnd: 2, timestampMs: 1000 },
      { fileId: 3, path: "b.csv", line: 1, byteStart: 0, byteEnd: 2, timestampMs: 1000 },
    ]);
    expect([...source.ledger]).to.deep.equal([
      [1, 2],
      [2, 1],
      [3, 1],
    ]);
  });

  it("reads the newest first where that is wanted, and still each once", async () => {
    await writeAged("old.csv", "old\n", 50_000);
    await writeAged("new-b.csv", "new-b\n", 10_000);
    await writeAged("new-a.csv", "new-a\n", 10_000);
    const source = host({ order: "newest-first", recordsPerBundleMax: 1 });
    const first = await source.bundle();
    await writeAged("newest.csv", "newest\n", 1000);
    source.clock.advance(2000);
    expect([first[0]!.text, ...(await source.settle())]).to.deep.equal(["new-a", "newest", "new-b", "old"]);
  });

  it("picks up growth at the last complete record, line numbers and header included", async () => {
    await writeFile(at("a.csv"), "h1,h2\none\ntw");
    const source = host({ format: LINES_WITH_HEADER });
    expect(await source.settle()).to.deep.equal(["one"]);
    await appendFile(at("a.csv"), "o\nthree\n");
    source.clock.advance(100);
    expect(await source.settle()).to.deep.equal(["two", "three"]);
    await source.restart();
    await appendFile(at("a.csv"), "four\n");
    expect(await source.settle()).to.deep.equal(["four"]);
    expect(source.committed.map(({ line }) => line)).to.deep.equal([2, 3, 4, 5]);
    const { byteOffset, line, header, rawOffset, state } = source.positions.byPath("a.csv")!;
    expect({ byteOffset, line, header, rawOffset, state }).to.deep.equal({
      byteOffset: 25,
      line: 6,
      header: ["h1", "h2"],
      rawOffset: 25,
      state: "reading",
    });
  });

  it("takes a last record without newline once the file is quiet, by its own watching", async () => {
    await writeFile(at("a.csv"), "one\ntwo");
    const source = host();
    expect(await source.settle(900)).to.deep.equal(["one"]);
    expect(await source.settle(200)).to.deep.equal(["two"]);
    const { endedAtByte, endedAtLine, state } = source.positions.byPath("a.csv")!;
    expect({ endedAtByte, endedAtLine, state }).to.deep.equal({
      endedAtByte: 7,
      endedAtLine: 2,
      state: "ended",
    });
  });

  it("takes a last record without newline at once when the file's mtime is that old", async () => {
    await writeAged("a.csv", "one\ntwo", 1500);
    expect(await host().settle()).to.deep.equal(["one", "two"]);
  });

  it("starts the quiet time anew with every growth", async () => {
    await writeFile(at("a.csv"), "x");
    const source = host();
    expect(await source.settle(700)).to.deep.equal([]);
    await directory.grow(source, "a.csv", "y");
    expect(await source.settle(700)).to.deep.equal([]);
    expect(await source.settle(400)).to.deep.equal(["xy"]);
  });

  for (const restarts of [false, true]) {
    const after = restarts ? ", also after a restart" : "";
    it(`makes what continues a record taken as complete one dead letter${after}`, async () => {
      await writeAged("a.csv", "one\ntwo", 5000);
      const source = host();
      await source.settle();
      if (restarts) await source.restart();
      await appendFile(at("a.csv"), "-late\nthree\n");
      source.clock.advance(5000);
      await source.settle();
      expect(
        source.committed.map(({ text, reason, line, byteStart, byteEnd }) => [
          text,
          reason,
          line,
          byteStart,
          byteEnd,
        ]),
      ).to.deep.equal([
        ["one", undefined, 1, 0, 3],
        ["two", undefined, 2, 4, 7],
        ["-late", "continued_after_quiet", 2, 7, 12],
        ["three", undefined, 3, 13, 18],
      ]);
      expect(source.committed[2]!.messages).to.deep.equal([
        "continues line 2, which was taken as complete at byte 7 when the file was quiet",
      ]);
      expect([...source.ledger.values()]).to.deep.equal([4]);
    });
  }

  it("finds nothing wrong when a newline ends the record taken as complete", async () => {
    for (const newline of ["\n", "\r\n"]) {
      const name = newline === "\n" ? "lf.csv" : "crlf.csv";
      await writeAged(name, "one", 5000);
      const source = host({ globs: [name] });
      await source.settle();
      await appendFile(at(name), `${newline}two\n`);
      source.clock.advance(5000);
      await source.settle();
      expect(source.committed.map(({ text, reason, line }) => [text, reason, line])).to.deep.equal([
        ["one", undefined, 1],
        ["two", undefined, 2],
      ]);
    }
  });

  it("waits with a continuation for its newline or for quiet, and goes on counting", async () => {
    await writeAged("a.csv", "one", 5000);
    const source = host();
    await source.settle();
    source.clock.advance(5000);
    await directory.grow(source, "a.csv", "+x");
    expect(await source.settle(500)).to.deep.equal([]);
    expect(await source.settle(600)).to.deep.equal(["+x"]);
    await appendFile(at("a.csv"), "+y\ntwo\n");
    source.clock.advance(5000);
    expect(await source.settle()).to.deep.equal(["+y", "two"]);
    expect(source.committed.map(({ byteStart, reason }) => [byteStart, reason])).to.deep.equal([
      [0, undefined],
      [3, "continued_after_quiet"],
      [5, "continued_after_quiet"],
      [8, undefined],
    ]);
  });

  it("ignores names that say not yet, and others than the pattern's", async () => {
    for (const name of [".a.csv", "_a.csv", "a.csv.tmp", "a.csv.partial", "a.txt", "b.tmp"]) {
      await writeFile(at(name), "no\n");
    }
    await writeFile(at("a.csv"), "yes\n");
    const source = host();
    expect(await source.settle()).to.deep.equal(["yes"]);
    await rename(at("a.csv.tmp"), at("c.csv"));
    source.clock.advance(5000);
    expect(await source.settle()).to.deep.equal(["no"]);
  });

  it("enters subdirectories only where that is wanted", async () => {
    await mkdir(at("sub/_not"), { recursive: true });
    await mkdir(at("sub/.not"));
    await writeAged("a.csv", "a\n", 9000);
    await writeAged("sub/b.csv", "b\n", 8000);
    await writeFile(at("sub/_not/c.csv"), "c\n");
    await writeFile(at("sub/.not/c.csv"), "c\n");
    expect(await host().settle()).to.deep.equal(["a"]);
    const source = host({ isRecursive: true });
    expect(await source.settle()).to.deep.equal(["a", "b"]);
    expect(source.committed[1]!.path).to.equal("sub/b.csv");
    expect(await host({ isRecursive: true, globs: ["sub/*.csv"] }).settle()).to.deep.equal(["b"]);
  });

  it("ends a bundle at recordsPerBundleMax, in the middle of a file", async () => {
    await writeAged("a.csv", "1\n2\n3\n4\n5\n", 20_000);
    const source = host({ recordsPerBundleMax: 2 });
    const sizes: number[] = [];
    while (sizes.length < 4) sizes.push((await source.bundle()).length);
    expect(sizes).to.deep.equal([2, 2, 1, 0]);
    expect(source.texts).to.deep.equal(["1", "2", "3", "4", "5"]);
  });

  it("ends a bundle at bytesPerBundleMax, with at least one record", async () => {
    const record = "x".repeat(100_000);
    await writeAged("a.csv", `${record}\n${record}\n${record}\n`, 20_000);
    const source = host({ bytesPerBundleMax: 1 });
    const sizes: number[] = [];
    while (sizes.length < 3) sizes.push((await source.bundle()).length);
    expect(sizes).to.deep.equal([1, 1, 1]);
  });

  it("stops where the host checkpoints, and emits nothing that was not claimed", async () => {
    await writeAged("a.csv", "1\n2\n3\n4\n5\n6\n7\n", 20_000);
    const source = host({}, { checkpointAfter: () => 3 });
    const sizes: number[] = [];
    while (sizes.length < 3) sizes.push((await source.bundle()).length);
    expect(sizes).to.deep.equal([3, 3, 1]);
    expect(source.texts).to.deep.equal(["1", "2", "3", "4", "5", "6", "7"]);
  });

  it("stores with a bundle the positions of that bundle, not later ones", async () => {
    await writeAged("a.csv", "1\n2\n3\n4\n", 20_000);
    const source = host({ recordsPerBundleMax: 1 });
    const [first, second, third] = [await source.process(), await source.process(), await source.process()];
    await source.commit(first);
    expect(source.positions.byPath("a.csv")!.byteOffset).to.equal(2);
    await source.commit(second);
    expect(source.positions.byPath("a.csv")!.byteOffset).to.equal(4);
    expect(third.records.map(({ text }) => text)).to.deep.equal(["3"]);
    await source.restart();
    expect(await source.settle()).to.deep.equal(["3", "4"]);
    expect(source.texts).to.deep.equal(["1", "2", "3", "4"]);
  });

  it("asks for the next poll ever later while nothing happens, and soon again when something does", async () => {
    const source = host();
    const delays: number[] = [];
    for (let i = 0; i < 16; i++) {
      const { continuation } = await source.process();
      if (!continuation.resume) throw new Error("ended");
      delays.push(continuation.delayMs);
      source.clock.advance(continuation.delayMs);
    }
    expect(delays[0]).to.equal(75);
    expect(delays.at(-1)).to.equal(5000);
    await writeFile(at("a.csv"), "1\n");
    const bundle = await source.process();
    expect(bundle.records.length).to.equal(1);
    expect(bundle.continuation.resume && bundle.continuation.delayMs).to.equal(50);
  });

  it("is woken by a change long before the next poll is due", async () => {
    const source = host({ isWatching: true });
    for (let i = 0; i < 16; i++) {
      const { continuation } = await source.process();
      if (continuation.resume) source.clock.advance(continuation.delayMs);
    }
    setTimeout(() => writeFile(at("a.csv"), "1\n"), 20);
    const startMs = source.clock.monotonicMs();
    const texts: string[] = [];
    while (texts.length === 0) {
      const { continuation, records } = await source.process();
      texts.push(...records.map(({ text }) => text));
      if (continuation.resume && texts.length === 0) await continuation.wake;
      source.clock.advance(10);
    }
    expect(texts).to.deep.equal(["1"]);
    expect(source.clock.monotonicMs() - startMs).to.be.below(1000);
    await source.restart();
  });

  it("reads a record larger than anything it keeps, as it grows and after a restart", async () => {
    const part = "x".repeat(900_000);
    await writeFile(at("a.csv"), "first\n");
    const source = host({ bytesPerBundleMax: 100_000 });
    await source.settle();
    for (let i = 0; i < 4; i++) {
      await directory.grow(source, "a.csv", part);
      source.clock.advance(100);
      expect(await source.settle()).to.deep.equal([]);
      if (i === 2) await source.restart();
    }
    await directory.grow(source, "a.csv", "!\nlast\n");
    source.clock.advance(100);
    const records = (await source.settle()).map((text) => (text.length > 10 ? text.length : text));
    expect(records).to.deep.equal([3_600_001, "last"]);
    await source.restart();
    await directory.grow(source, "a.csv", "more\n");
    expect(await source.settle()).to.deep.equal(["more"]);
    expect(source.committed.map(({ line, generation }) => [line, generation])).to.deep.equal([
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 0],
    ]);
  });

  it("mixes nothing when the rest of a large record is rewritten while it waits", async () => {
    await writeFile(at("a.csv"), `first\n${"x".repeat(500_000)}`);
    const source = host();
    expect(await source.settle()).to.deep.equal(["first"]);
    await writeFile(at("a.csv"), `first\n${"y".repeat(600_000)}\n`);
    source.clock.advance(100);
    expect(await source.settle()).to.deep.equal(["y".repeat(600_000)]);
    expect(source.warnings()).to.deep.equal([]);
  });

  it("says how far it is: offsets of the bundle, and what is left", async () => {
    await writeAged("a.csv", "1\n2\n3\n", 20_000);
    await writeAged("b.csv", "44\n", 10_000);
    const source = host({ recordsPerBundleMax: 2 });
    await source.bundle();
    const bundle = await source.process();
    const { landedAtMs, ...progress } = bundle.fn.progress();
    const nowMs = source.clock.now();
    expect(landedAtMs).to.have.keys("a.csv", "b.csv");
    for (const atMs of Object.values(landedAtMs!)) expect(atMs).to.be.within(nowMs - 25_000, nowMs - 5_000);
    expect(progress).to.deep.equal({
      description: `directory ${directory.root}`,
      startOffset: { "a.csv": 4, "b.csv": 0 },
      endOffset: { "a.csv": 6, "b.csv": 3 },
      records: 2,
      backlogBytes: 0,
      backlogFiles: 0,
    });
    await writeAged("c.csv", "5\n6\n7\n", 5000);
    source.clock.advance(5000);
    const { backlogBytes, backlogFiles } = (await source.process()).fn.progress();
    expect({ backlogBytes, backlogFiles }).to.deep.equal({ backlogBytes: 2, backlogFiles: 1 });
  });
});
