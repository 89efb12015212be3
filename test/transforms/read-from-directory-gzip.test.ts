/** Gzip files: streamed, resumed, growing, cut, broken. */
import { appendFile, rename, writeFile } from "node:fs/promises";
import { constants, gunzipSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import { SourceDirectory } from "../support/source-directory.js";
import type { SourceHost } from "../support/source-host.js";

describe("readFromDirectory() gzip", () => {
  let directory: SourceDirectory;
  const at = (name: string) => directory.at(name);
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `line ${from + i} ${((from + i) * 2654435761) % 4294967296}`);
  const text = (from: number, to: number) => `${lines(from, to).join("\n")}\n`;
  const seen = (source: SourceHost) =>
    source.committed.map(({ text, reason, byteStart, byteEnd }) => [text, reason, byteStart, byteEnd]);
  const next = async (source: SourceHost) => {
    source.clock.advance(5000);
    return await source.settle();
  };

  beforeEach(async () => {
    directory = await SourceDirectory.create();
  });
  afterEach(() => directory.remove());

  it("counts offsets in inflated bytes", async () => {
    await directory.writeAged("a.csv.gz", gzipSync("one\ntwo\nthree"), 20_000);
    const source = directory.host();
    await source.settle();
    expect(seen(source)).to.deep.equal([
      ["one", undefined, 0, 3],
      ["two", undefined, 4, 7],
      ["three", undefined, 8, 13],
    ]);
    const { byteOffset, rawOffset, size } = source.positions.byPath("a.csv.gz")!;
    expect(byteOffset).to.equal(13);
    expect(rawOffset).to.equal(size);
  });

  for (const restarts of [false, true]) {
    it(`resumes in the middle${restarts ? " after a restart" : ""}`, async () => {
      await directory.writeAged("a.csv.gz", gzipSync(text(0, 20_000)), 20_000);
      const source = directory.host({ recordsPerBundleMax: 3000 });
      for (let i = 0; i < 10; i++) {
        await source.bundle();
        if (restarts) await source.restart();
      }
      expect(source.texts).to.deep.equal(lines(0, 20_000));
      expect(source.committed.at(-1)!.line).to.equal(20_000);
    });
  }

  it("throws away what was in flight and inflates again", async () => {
    await directory.writeAged("a.csv.gz", gzipSync(text(0, 5000)), 20_000);
    const source = directory.host({ recordsPerBundleMax: 1000 });
    await source.bundle();
    await source.process();
    await source.process();
    await source.restart();
    await source.settle();
    expect(source.texts).to.deep.equal(lines(0, 5000));
  });

  it("reads members one after the other, wherever chunks are cut", async () => {
    const members = Array.from({ length: 300 }, (_, i) => gzipSync(text(i * 10, i * 10 + 10)));
    await directory.writeAged("a.csv.gz", Buffer.concat(members), 20_000);
    const source = directory.host();
    expect(await source.settle()).to.deep.equal(lines(0, 3000));
  });

  it("picks up members that are appended, before and after quiet, and after a restart", async () => {
    await writeFile(at("a.csv.gz"), gzipSync(text(0, 10)));
    const source = directory.host();
    expect(await source.settle()).to.deep.equal(lines(0, 10));
    await directory.grow(source, "a.csv.gz", gzipSync(text(10, 20)));
    expect(await next(source)).to.deep.equal(lines(10, 20));
    await source.settle(20_000);
    await directory.grow(source, "a.csv.gz", gzipSync(text(20, 30)));
    expect(await next(source)).to.deep.equal(lines(20, 30));
    await source.restart();
    await directory.grow(source, "a.csv.gz", gzipSync(text(30, 40)));
    expect(await next(source)).to.deep.equal(lines(30, 40));
    expect(source.warnings()).to.deep.equal([]);
  });

  it("reads a file that grows byte by byte", async () => {
    const bytes = gzipSync("one\ntwo\n");
    await writeFile(at("a.csv.gz"), "");
    const source = directory.host();
    for (const byte of bytes) {
      await directory.grow(source, "a.csv.gz", Buffer.from([byte]));
      source.clock.advance(100);
      await source.settle();
    }
    await source.settle(2000);
    expect(source.texts).to.deep.equal(["one", "two"]);
  });

  it("waits with a cut file until it is quiet, keeps the records before, then says corrupt_gzip once", async () => {
    const whole = gzipSync(text(0, 2000));
    await writeFile(at("a.csv.gz"), whole.subarray(0, whole.length - 2000));
    const source = directory.host();
    await source.settle(500);
    const count = source.committed.length;
    expect(count).to.be.within(100, 1999);
    expect(source.texts).to.deep.equal(lines(0, count));
    await source.settle(2000);
    const last = source.committed.at(-1)!;
    expect(last.reason).to.equal("corrupt_gzip");
    expect(source.texts.slice(0, -1)).to.deep.equal(lines(0, source.committed.length - 1));
    expect(source.positions.byPath("a.csv.gz")).to.include({ state: "corrupt", byteOffset: last.byteEnd });
    const total = source.committed.length;
    await source.restart();
    await source.settle(20_000);
    expect(source.committed.length).to.equal(total);
    await rename(at("a.csv.gz"), at("b.csv.gz"));
    await source.restart();
    await source.settle(20_000);
    expect(source.committed.length).to.equal(total);
  });

  it("goes on with a cut file that grows after all: what continues the broken line is one dead letter", async () => {
    const whole = gzipSync(text(0, 2000));
    await writeFile(at("a.csv.gz"), whole.subarray(0, 9000));
    const source = directory.host();
    await source.settle(2000);
    const broken = source.committed.length;
    expect(source.committed.at(-1)!.reason).to.equal("corrupt_gzip");
    await source.restart();
    await appendFile(at("a.csv.gz"), whole.subarray(9000));
    await source.settle(20_000);
    const partial = source.committed[broken - 1]!.text;
    const rest = source.texts.slice(broken);
    if (partial === "\n") expect(rest).to.deep.equal(lines(broken - 1, 2000));
    else {
      expect(source.committed[broken]!.reason).to.equal("continued_after_quiet");
      expect(partial + rest[0]).to.equal(lines(broken - 1, broken)[0]);
      expect(rest.slice(1)).to.deep.equal(lines(broken, 2000));
      expect(source.committed.at(-1)!.line).to.equal(2000);
    }
  });

  it("keeps the records before broken data and says corrupt_gzip at once", async () => {
    const good = gzipSync(text(0, 1000));
    await writeFile(at("a.csv.gz"), Buffer.concat([good, Buffer.from("this is not gzip")]));
    const source = directory.host();
    await source.settle(0);
    expect(source.texts.slice(0, 1000)).to.deep.equal(lines(0, 1000));
    expect(source.committed.slice(1000).map(({ reason }) => reason)).to.deep.equal(["corrupt_gzip"]);
    await source.restart();
    await source.settle(20_000);
    expect(source.committed.length).to.equal(1001);
  });

  it("keeps every whole record before a flipped bit, to the byte", async () => {
    const whole = gzipSync(text(0, 20_000));
    const before = gunzipSync(whole.subarray(0, 100_000), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
    const bytes = Buffer.from(whole).fill(0xff, 100_000, 100_040);
    await directory.writeAged("a.csv.gz", bytes, 20_000);
    const source = directory.host();
    await source.settle();
    const expected = before.split("\n").slice(0, -1);
    expect(expected.length).to.be.above(5000);
    expect(source.texts.slice(0, expected.length)).to.deep.equal(expected);
    expect(source.committed.filter(({ reason }) => reason !== undefined).length).to.equal(1);
    expect(source.committed.at(-1)!.reason).to.equal("corrupt_gzip");
  });

  it("says corrupt_gzip for a wrong checksum, after all records", async () => {
    const bytes = gzipSync(text(0, 100));
    bytes[bytes.length - 8]! ^= 1;
    await directory.writeAged("a.csv.gz", bytes, 20_000);
    const source = directory.host();
    await source.settle();
    expect(source.texts.slice(0, -1)).to.deep.equal(lines(0, 100));
    expect(source.committed.at(-1)!.reason).to.equal("corrupt_gzip");
  });

  it("says corrupt_gzip for what is no gzip at all, and nothing for an empty file", async () => {
    await directory.writeAged("a.csv.gz", "id,name\n1,x\n", 20_000);
    await directory.writeAged("b.csv.gz", "", 19_000);
    const source = directory.host();
    await source.settle(3000);
    expect(source.committed.map(({ path, reason, byteStart }) => [path, reason, byteStart])).to.deep.equal([
      ["a.csv.gz", "corrupt_gzip", 0],
    ]);
  });

  it("takes zeros after the last member as padding", async () => {
    await directory.writeAged("a.csv.gz", Buffer.concat([gzipSync("one\n"), Buffer.alloc(1000)]), 20_000);
    const source = directory.host();
    expect(await source.settle(3000)).to.deep.equal(["one"]);
  });

  it("reads a rewritten gzip file anew", async () => {
    await directory.writeAged("a.csv.gz", gzipSync("one\n"), 20_000);
    const source = directory.host();
    await source.settle();
    await writeFile(at("a.csv.gz"), gzipSync("eins\nzwei\n"));
    expect(await next(source)).to.deep.equal(["eins", "zwei"]);
    expect(source.committed.at(-1)!.generation).to.equal(1);
  });
});
