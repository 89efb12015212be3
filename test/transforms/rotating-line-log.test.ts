/** The log rotates, survives what happens to its directory, and never throws. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { RotatingLineLog, type RotatingLineLogError } from "../../transforms/rotating-line-log.js";
import { inTemporaryDirectory } from "../support/generated-files.js";

async function numbersIn(path: string): Promise<number[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line).n);
}

describe("RotatingLineLog", () => {
  it("appends JSON lines in order, after those of an earlier process", async () => {
    await inTemporaryDirectory(async (directory) => {
      const path = join(directory, "a", "b.log");
      for (const numbers of [
        [1, 2],
        [3, 4],
      ]) {
        const log = new RotatingLineLog(path);
        for (const n of numbers) log.append({ n });
        await log.close();
      }
      expect(await readFile(path, "utf8")).to.equal('{"n":1}\n{"n":2}\n{"n":3}\n{"n":4}\n');
    });
  });

  it("rotates before a file exceeds its limit and keeps the newest files", async () => {
    await inTemporaryDirectory(async (directory) => {
      const path = join(directory, "x.log");
      // A line is 9 bytes: two fit into 20.
      const log = new RotatingLineLog(path, { bytesMax: 20, rotatedFilesMax: 3 });
      for (let n = 10; n < 22; n++) log.append({ n });
      log.append({ n: 22 });
      await log.flush();
      expect((await readdir(directory)).sort()).to.deep.equal(["x.log", "x.log.1", "x.log.2", "x.log.3"]);
      const kept = await Promise.all(
        ["x.log.3", "x.log.2", "x.log.1", "x.log"].map((n) => numbersIn(join(directory, n))),
      );
      expect(kept).to.deep.equal([[16, 17], [18, 19], [20, 21], [22]]);
      expect(log.linesDropped).to.equal(0);
    });
  });

  it("gives a line longer than the limit a file of its own", async () => {
    await inTemporaryDirectory(async (directory) => {
      const path = join(directory, "x.log");
      const log = new RotatingLineLog(path, { bytesMax: 20 });
      for (const n of [1, 1e30, 2]) log.append({ n, text: "x".repeat(n === 1e30 ? 50 : 0) });
      await log.close();
      const kept = await Promise.all(
        ["x.log.2", "x.log.1", "x.log"].map((n) => numbersIn(join(directory, n))),
      );
      expect(kept).to.deep.equal([[1], [1e30], [2]]);
    });
  });

  it("makes a removed log directory again", async () => {
    await inTemporaryDirectory(async (directory) => {
      const path = join(directory, "logs", "x.log");
      const log = new RotatingLineLog(path);
      log.append({ n: 1 });
      await log.flush();
      await rm(join(directory, "logs"), { recursive: true });
      log.append({ n: 2 });
      await log.close();
      expect(await numbersIn(path)).to.deep.equal([2]);
    });
  });

  it("reports an outage once, counts what it lost, and reports the next one", async () => {
    await inTemporaryDirectory(async (directory) => {
      const errors: RotatingLineLogError[] = [];
      const path = join(directory, "logs", "x.log");
      const log = new RotatingLineLog(path, { onError: (error) => errors.push(error) });
      const outage = async (lines: number) => {
        await rm(join(directory, "logs"), { recursive: true, force: true });
        // A file where the directory should be.
        await writeFile(join(directory, "logs"), "");
        for (let n = 0; n < lines; n++) {
          log.append({ n });
          await log.flush();
        }
        await rm(join(directory, "logs"));
        await mkdir(join(directory, "logs"));
      };
      await outage(3);
      expect([errors.length, log.linesDropped]).to.deep.equal([1, 3]);
      expect(errors[0]?.message).to.contain(`log ${path} must be writable, got:`);
      log.append({ n: 7 });
      await log.flush();
      expect(await numbersIn(path)).to.deep.equal([7]);
      await outage(2);
      expect([errors.length, log.linesDropped]).to.deep.equal([2, 5]);
    });
  });

  it("never throws: not for a record without JSON, a full queue, a callback that does, or after the end", async () => {
    await inTemporaryDirectory(async (directory) => {
      const path = join(directory, "x.log");
      const onError = () => {
        throw new Error("callback");
      };
      const log = new RotatingLineLog(path, { queuedLinesMax: 2, onError });
      log.append({ n: 1n });
      for (let n = 0; n < 5; n++) log.append({ n });
      await log.close();
      log.append({ n: 9 });
      expect(await numbersIn(path)).to.deep.equal([0, 1]);
      expect(log.linesDropped).to.equal(5);
    });
  });
});
