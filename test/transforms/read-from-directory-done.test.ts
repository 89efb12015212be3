/** What happens to finished files, and available-now mode. */
import {
  appendFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { type FileSystem, realFileSystem } from "../../transforms/read-from-directory/file-system.js";
import { SourceDirectory } from "../support/source-directory.js";
import { MemoryPositions, type SourceHost } from "../support/source-host.js";

describe("readFromDirectory() done", () => {
  let directory: SourceDirectory;
  let archive: string;
  const at = (name: string) => directory.at(name);
  const archiving = () => ({ whenDone: "archive", archiveDirectory: archive }) as const;
  const names = async (path: string) => (await readdir(path)).sort();

  beforeEach(async () => {
    directory = await SourceDirectory.create();
    archive = join(await mkdtemp(join(tmpdir(), "millrace-archive-")), "done");
  });
  afterEach(async () => {
    await directory.remove();
    await rm(join(archive, ".."), { recursive: true });
  });

  it("leaves a done file where it is, and stores that it is done", async () => {
    await writeFile(at("a.csv"), "1\n");
    const source = directory.host();
    await source.settle(9000);
    expect(source.positions.byPath("a.csv")!.state).to.equal("reading");
    await source.settle(4000);
    expect(source.positions.byPath("a.csv")!.state).to.equal("done");
    expect(await names(directory.root)).to.deep.equal(["a.csv"]);
  });

  it("goes on with a done file that grows, in this run and in the next", async () => {
    await directory.writeAged("a.csv", "1\n", 60_000);
    const source = directory.host();
    await source.settle(15_000);
    expect(source.positions.byPath("a.csv")!.state).to.equal("done");
    await directory.grow(source, "a.csv", "2\n");
    source.clock.advance(5000);
    expect(await source.settle(15_000)).to.deep.equal(["2"]);
    await source.restart();
    await directory.grow(source, "a.csv", "3\n");
    expect(await source.settle(15_000)).to.deep.equal(["3"]);
    expect(source.committed.map(({ fileId, line }) => [fileId, line])).to.deep.equal([
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
  });

  it("archives only after the commit", async () => {
    await directory.writeAged("a.csv", "1\n", 60_000);
    const source = directory.host(archiving());
    const bundle = await source.process();
    for (let i = 0; i < 3; i++) {
      source.clock.advance(5000);
      await source.process();
    }
    expect(await names(directory.root)).to.deep.equal(["a.csv"]);
    await source.commit(bundle);
    source.clock.advance(5000);
    await source.settle(5000);
    expect(await names(directory.root)).to.deep.equal([]);
    expect(await readFile(join(archive, "a.csv"), "utf8")).to.equal("1\n");
    expect(source.positions.byPath("a.csv")!.state).to.equal("archived");
  });

  it("deletes a done file", async () => {
    await directory.writeAged("a.csv", "1\n", 60_000);
    const source = directory.host({ whenDone: "delete" });
    await source.settle(15_000);
    expect(source.texts).to.deep.equal(["1"]);
    expect(await names(directory.root)).to.deep.equal([]);
    expect(source.positions.byPath("a.csv")!.state).to.equal("deleted");
  });

  it("gives an archived file its id where the name is taken", async () => {
    await mkdir(archive, { recursive: true });
    await writeFile(join(archive, "a.csv"), "other\n");
    await writeFile(join(archive, "b.csv.gz"), "other");
    await directory.writeAged("a.csv", "1\n", 60_000);
    await directory.writeAged("b.csv.gz", gzipSync("2\n"), 50_000);
    const source = directory.host(archiving());
    await source.settle(15_000);
    expect(source.texts).to.deep.equal(["1", "2"]);
    expect(await names(archive)).to.deep.equal(["a.1.csv", "a.csv", "b.2.csv.gz", "b.csv.gz"]);
    expect(await readFile(join(archive, "a.csv"), "utf8")).to.equal("other\n");
  });

  it("reads and commits what a writer appended to the file that was set aside", async () => {
    await directory.writeAged("a.csv", "1\n", 60_000);
    let writer: Awaited<ReturnType<typeof open>> | undefined = await open(at("a.csv"), "a");
    const fileSystem: FileSystem = {
      ...realFileSystem,
      async rename(from, to) {
        await realFileSystem.rename(from, to);
        await writer?.write("2\n3\n");
        writer = undefined;
      },
    };
    const source = directory.host(archiving(), { fileSystem });
    const bundles: string[][] = [];
    for (let i = 0; i < 30; i++) {
      bundles.push((await source.bundle()).map(({ text }) => text));
      source.clock.advance(1000);
    }
    expect(bundles.filter((texts) => texts.length > 0)).to.deep.equal([["1"], ["2", "3"]]);
    expect(source.committed.map(({ path, fileId }) => `${path} ${fileId}`)).to.deep.equal([
      "a.csv 1",
      "a.csv 1",
      "a.csv 1",
    ]);
    expect(await names(directory.root)).to.deep.equal([]);
    expect(await readFile(join(archive, "a.csv"), "utf8")).to.equal("1\n2\n3\n");
  });

  it("reads a new file under the name of one that was archived", async () => {
    await directory.writeAged("a.csv", "1\n", 60_000);
    const source = directory.host(archiving());
    await source.settle(15_000);
    await directory.writeAged("a.csv", "1\n", 60_000);
    source.clock.advance(5000);
    await source.settle(15_000);
    expect(source.committed.map(({ fileId, generation }) => [fileId, generation])).to.deep.equal([
      [1, 0],
      [2, 0],
    ]);
    expect(await names(archive)).to.deep.equal(["a.2.csv", "a.csv"]);
  });

  it("finishes after a crash at every step, with every record once", async () => {
    for (let failAt = 0; failAt < 14; failAt++) {
      await rm(archive, { recursive: true, force: true });
      await directory.writeAged("a.csv", "1\n2", 60_000);
      let calls = 0;
      const crashing =
        <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          if (calls++ === failAt) throw Object.assign(new Error("crash"), { isCrash: true });
          return await call(...args);
        };
      const { rename, remove, makeDirectory, syncDirectory, status } = realFileSystem;
      const fileSystem: FileSystem = {
        ...realFileSystem,
        ...{ rename: crashing(rename), remove: crashing(remove), status: crashing(status) },
        ...{ makeDirectory: crashing(makeDirectory), syncDirectory: crashing(syncDirectory) },
      };
      const source = directory.host(archiving(), { fileSystem, positions: new MemoryPositions() });
      for (let round = 0; round < 40; round++) {
        try {
          await source.bundle();
        } catch (error) {
          expect(error).to.have.property("isCrash", true);
          await source.restart();
        }
        source.clock.advance(1000);
      }
      expect(source.texts, `crash at call ${failAt}`).to.deep.equal(["1", "2"]);
      expect(await names(directory.root), `crash at call ${failAt}`).to.deep.equal([]);
      expect(await names(archive)).to.deep.equal(["a.csv"]);
    }
  });

  it("copies across file systems, also when it was interrupted after the copy", async () => {
    for (const failsToRemove of [false, true]) {
      await rm(archive, { recursive: true, force: true });
      await directory.writeAged("a.csv", "1\n", 60_000);
      let removals = 0;
      const fileSystem: FileSystem = {
        ...realFileSystem,
        async rename(from, to) {
          const isAcross = from.startsWith(directory.root) && to.startsWith(archive);
          if (isAcross) throw Object.assign(new Error("EXDEV"), { code: "EXDEV", syscall: "rename" });
          await realFileSystem.rename(from, to);
        },
        async remove(path) {
          if (failsToRemove && removals++ === 0) {
            throw Object.assign(new Error("EIO"), { code: "EIO", syscall: "unlink" });
          }
          await realFileSystem.remove(path);
        },
      };
      const source = directory.host(archiving(), { fileSystem });
      await source.settle(30_000);
      expect(source.texts).to.deep.equal(["1"]);
      expect(await names(directory.root)).to.deep.equal([]);
      expect(await names(archive)).to.deep.equal(["a.csv"]);
    }
  });

  it("keeps a file that cannot be archived, reports it, reads it once, and archives it later", async () => {
    await writeFile(archive, "a file where the directory should be");
    await directory.writeAged("a.csv", "1\n", 60_000);
    const source = directory.host(archiving());
    await source.settle(60_000);
    expect(source.texts).to.deep.equal(["1"]);
    expect(source.warnings()).to.deep.equal(["finished file cannot be moved: trying again"]);
    await unlink(archive);
    await source.settle(60_000);
    expect(await names(archive)).to.deep.equal(["a.csv"]);
  });

  it("gives a file back its name when it was set aside and is to be left now", async () => {
    await directory.writeAged(".millrace-done.1.a.csv", "1\n2\n", 60_000);
    const source = directory.host();
    await source.settle();
    source.clock.advance(5000);
    await source.settle();
    expect(await names(directory.root)).to.deep.equal(["a.csv"]);
    expect(source.texts).to.deep.equal(["1", "2"]);
  });

  describe("in available-now mode", () => {
    const now = (source: SourceHost) => source.runToEnd();

    it("reads what is there at the start and ends", async () => {
      await directory.writeAged("a.csv", "1\n2\n", 60_000);
      await directory.writeAged("b.csv", "3\n4", 60_000);
      const source = directory.host({}, { mode: "available-now" });
      expect(await now(source)).to.deep.equal(["1", "2", "3", "4"]);
      expect([...source.positions.files.values()].map(({ state }) => state)).to.deep.equal(["done", "done"]);
    });

    it("ends at once on an empty directory, and fails on one that is not there", async () => {
      expect(await now(directory.host({}, { mode: "available-now" }))).to.deep.equal([]);
      const source = directory.host({ directory: at("nowhere") }, { mode: "available-now" });
      const error = await now(source).catch((failure: Error) => failure);
      expect(error).to.have.property(
        "message",
        `the input directory ${at("nowhere")} cannot be read (ENOENT)`,
      );
    });

    it("waits for quiet before it takes a last record without newline", async () => {
      await writeFile(at("a.csv"), "1\n2");
      const source = directory.host({}, { mode: "available-now" });
      const startMs = source.clock.monotonicMs();
      expect(await now(source)).to.deep.equal(["1", "2"]);
      expect(source.clock.monotonicMs() - startMs).to.be.within(900, 1100);
    });

    it("leaves new files and growth beyond the snapshot to the next run, down to the record", async () => {
      await writeFile(at("a.csv"), "1\n2\n3");
      const source = directory.host({ recordsPerBundleMax: 1 }, { mode: "available-now" });
      await source.bundle();
      await appendFile(at("a.csv"), "3\n4\n");
      await writeFile(at("b.csv"), "new\n");
      expect(await now(source)).to.deep.equal(["1", "2"]);
      await source.restart();
      expect(await now(source)).to.deep.equal(["1", "2", "33", "4", "new"]);
    });

    it("finds growth of files that an earlier run had done, even many", async () => {
      for (let i = 0; i < 50; i++) await directory.writeAged(`${i}.csv`, `${i}\n`, 60_000);
      const source = directory.host({}, { mode: "available-now" });
      await now(source);
      await source.restart();
      await appendFile(at("37.csv"), "more\n");
      expect((await now(source)).slice(50)).to.deep.equal(["more"]);
    });

    it("archives before it ends", async () => {
      await directory.writeAged("a.csv", "1\n", 60_000);
      await writeFile(at("b.csv"), "2\n3");
      const source = directory.host(archiving(), { mode: "available-now" });
      expect(await now(source)).to.deep.equal(["1", "2", "3"]);
      expect(await names(archive)).to.deep.equal(["a.csv", "b.csv"]);
      expect([...source.positions.files.values()].map(({ state }) => state)).to.deep.equal([
        "archived",
        "archived",
      ]);
    });

    it("ends when a file of the snapshot vanishes, shrinks or is renamed", async () => {
      for (const name of ["a", "b", "c", "d"])
        await directory.writeAged(`${name}.csv`, `${name}1\n${name}2\n`, 60_000);
      const source = directory.host({ recordsPerBundleMax: 1 }, { mode: "available-now" });
      await source.bundle();
      await unlink(at("b.csv"));
      await realFileSystem.rename(at("c.csv"), at("e.csv"));
      await truncate(at("d.csv"), 0);
      expect(await now(source)).to.deep.equal(["a1", "a2", "c1", "c2"]);
    });
  });
});
