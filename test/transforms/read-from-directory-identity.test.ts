/** Which file is which: renamed, copied, linked, rewritten, truncated, gone and back. */
import { execFile } from "node:child_process";
import {
  appendFile,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { SourceDirectory } from "../support/source-directory.js";
import type { SourceHost } from "../support/source-host.js";

describe("readFromDirectory() identity", () => {
  let directory: SourceDirectory;
  const at = (name: string) => directory.at(name);

  beforeEach(async () => {
    directory = await SourceDirectory.create();
  });
  afterEach(() => directory.remove());

  /** Time for a poll, then everything there is to read. */
  const next = async (source: SourceHost) => {
    source.clock.advance(5000);
    return await source.settle();
  };
  const seen = (source: SourceHost) =>
    source.committed.map(({ path, fileId, generation, text }) => `${path}#${fileId}.${generation} ${text}`);

  for (const restarts of [false, true]) {
    const after = restarts ? " over a restart" : "";
    it(`keeps the position of a renamed file${after}`, async () => {
      await directory.writeAged("a.csv", "1\n2\n", 20_000);
      const source = directory.host();
      await source.settle();
      if (restarts) await source.restart();
      await rename(at("a.csv"), at("b.csv"));
      await appendFile(at("b.csv"), "3\n");
      await next(source);
      expect(seen(source)).to.deep.equal(["a.csv#1.0 1", "a.csv#1.0 2", "b.csv#1.0 3"]);
      expect([...source.positions.files.values()].map(({ path }) => path)).to.deep.equal(["b.csv"]);
    });

    it(`tells a renamed file from the new one under its old name${after}`, async () => {
      await directory.writeAged("a.csv", "1\n", 20_000);
      const source = directory.host();
      await source.settle();
      if (restarts) await source.restart();
      await rename(at("a.csv"), at("a-1.csv"));
      await appendFile(at("a-1.csv"), "2\n");
      await directory.writeAged("a.csv", "new\n", 0);
      await next(source);
      const fileId = source.positions.byPath("a.csv")!.fileId;
      expect(seen(source)).to.deep.equal(["a.csv#1.0 1", "a-1.csv#1.0 2", `a.csv#${fileId}.0 new`]);
      expect(source.warnings()).to.deep.equal([]);
    });

    it(`follows two files that swap their names${after}`, async () => {
      await directory.writeAged("a.csv", "a1\n", 20_000);
      await directory.writeAged("b.csv", "b1\n", 19_000);
      const source = directory.host();
      await source.settle();
      if (restarts) await source.restart();
      await rename(at("a.csv"), at("c"));
      await rename(at("b.csv"), at("a.csv"));
      await rename(at("c"), at("b.csv"));
      await appendFile(at("a.csv"), "b2\n");
      await appendFile(at("b.csv"), "a2\n");
      await next(source);
      expect(seen(source)).to.deep.equal(["a.csv#1.0 a1", "b.csv#2.0 b1", "b.csv#1.0 a2", "a.csv#2.0 b2"]);
    });

    it(`reads a rewritten file anew as the next generation, and says so${after}`, async () => {
      await directory.writeAged("a.csv", "1\n2\n", 20_000);
      const source = directory.host();
      await source.settle();
      if (restarts) await source.restart();
      await writeFile(at("a.csv"), "one\ntwo\nthree\n");
      await next(source);
      expect(seen(source)).to.deep.equal([
        "a.csv#1.0 1",
        "a.csv#1.0 2",
        "a.csv#1.1 one",
        "a.csv#1.1 two",
        "a.csv#1.1 three",
      ]);
      expect(source.warnings()).to.deep.equal(["file was rewritten: reading it anew"]);
      await source.restart();
      await appendFile(at("a.csv"), "four\n");
      expect(await next(source)).to.deep.equal(["four"]);
    });

    it(`reads a truncated file anew${after}`, async () => {
      await directory.writeAged("a.csv", "1\n2\n", 20_000);
      const source = directory.host();
      await source.settle();
      if (restarts) await source.restart();
      await truncate(at("a.csv"), 0);
      expect(await next(source)).to.deep.equal([]);
      await appendFile(at("a.csv"), "1\n2\n3\n");
      await next(source);
      expect(seen(source).slice(2)).to.deep.equal(["a.csv#1.1 1", "a.csv#1.1 2", "a.csv#1.1 3"]);
    });

    it(`reads a file that replaced another by rename anew${after}`, async () => {
      await directory.writeAged("a.csv", "1\n", 20_000);
      const source = directory.host();
      await source.settle();
      if (restarts) await source.restart();
      await writeFile(at("a.tmp"), "x\ny\n");
      await rename(at("a.tmp"), at("a.csv"));
      await next(source);
      expect(seen(source)).to.deep.equal(["a.csv#1.0 1", "a.csv#1.1 x", "a.csv#1.1 y"]);
    });

    it(`goes on with a file that an editor wrote anew with the same beginning${after}`, async () => {
      await directory.writeAged("a.csv", "1\n2\n", 20_000);
      const source = directory.host();
      await source.settle();
      if (restarts) await source.restart();
      await writeFile(at("a.tmp"), "1\n2\n3\n");
      await rename(at("a.tmp"), at("a.csv"));
      await next(source);
      expect(seen(source)).to.deep.equal(["a.csv#1.0 1", "a.csv#1.0 2", "a.csv#1.0 3"]);
      expect(source.warnings()).to.deep.equal([]);
    });
  }

  it("sees a change in the first or last 4 KiB of what it consumed of a large file", async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
    for (const changed of [0, 4999]) {
      await directory.writeAged("a.csv", `${lines.join("\n")}\n`, 20_000);
      const source = directory.host();
      await source.settle();
      const other = lines.with(changed, "LINE XYZW".slice(0, lines[changed]!.length));
      await writeFile(at("a.csv"), `${other.join("\n")}\nmore\n`);
      const again = await next(source);
      expect(again).to.deep.equal([...other, "more"]);
      expect(source.committed.at(-1)!.generation).to.equal(1);
    }
  });

  it("stops in the middle of a file that is rewritten, and mixes no record", async () => {
    await directory.writeAged("a.csv", "a1\na2\na3\n", 20_000);
    const source = directory.host({ recordsPerBundleMax: 2 });
    await source.bundle();
    await writeFile(at("a.csv"), "b1b1b1\nb2\nb3\n");
    await next(source);
    expect(seen(source)).to.deep.equal([
      "a.csv#1.0 a1",
      "a.csv#1.0 a2",
      "a.csv#1.1 b1b1b1",
      "a.csv#1.1 b2",
      "a.csv#1.1 b3",
    ]);
  });

  it("reads a copy as a file of its own", async () => {
    await directory.writeAged("a.csv", "1\n", 20_000);
    const source = directory.host();
    await source.settle();
    await copyFile(at("a.csv"), at("b.csv"));
    await next(source);
    expect(seen(source)).to.deep.equal(["a.csv#1.0 1", "b.csv#2.0 1"]);
  });

  it("reads a file with several names once, under the name that is left", async () => {
    await directory.writeAged("a.csv", "1\n", 20_000);
    await link(at("a.csv"), at("b.csv"));
    const source = directory.host();
    expect(await source.settle()).to.deep.equal(["1"]);
    await link(at("a.csv"), at("c.csv"));
    expect(await next(source)).to.deep.equal([]);
    await unlink(at("a.csv"));
    await appendFile(at("b.csv"), "2\n");
    expect(await next(source)).to.deep.equal([]);
    expect(await next(source)).to.deep.equal(["2"]);
    expect(source.committed.at(-1)!.fileId).to.equal(1);
  });

  it("reads a file that reuses the inode of another as a new one", async () => {
    await directory.writeAged("a.csv", "1\n", 20_000);
    const source = directory.host();
    await source.settle();
    const stored = source.positions.byPath("a.csv")!;
    await unlink(at("a.csv"));
    await directory.writeAged("b.csv", "other\n", 20_000);
    const inode = String((await stat(at("b.csv"))).ino);
    source.positions.files.set(1, { ...stored, inode });
    await source.restart();
    await next(source);
    expect(seen(source)).to.deep.equal([
      "a.csv#1.0 1",
      `b.csv#${source.positions.byPath("b.csv")!.fileId}.0 other`,
    ]);
  });

  it("never compares device numbers: a directory moved elsewhere keeps its positions", async () => {
    await directory.writeAged("a.csv", "1\n", 20_000);
    const source = directory.host();
    await source.settle();
    await writeFile(at("copy"), "1\n2\n");
    await rename(at("copy"), at("a.csv"));
    await source.restart();
    await next(source);
    expect(source.texts).to.deep.equal(["1", "2"]);
  });

  it("goes on with a file that was away and came back", async () => {
    await directory.writeAged("a.csv", "1\n2", 200);
    const source = directory.host();
    await source.settle();
    await rename(at("a.csv"), at("away"));
    for (let i = 0; i < 6; i++) await next(source);
    expect(source.warnings()).to.deep.equal(["file vanished before its end was read"]);
    expect(source.positions.byPath("a.csv")!.state).to.equal("missing");
    await appendFile(at("away"), "2\n3\n");
    await rename(at("away"), at("a.csv"));
    await next(source);
    expect(seen(source)).to.deep.equal(["a.csv#1.0 1", "a.csv#1.0 22", "a.csv#1.0 3"]);
  });

  it("survives a file that vanishes between two bundles, and reads the others", async () => {
    await directory.writeAged("a.csv", "1\n2\n3\n", 20_000);
    await directory.writeAged("b.csv", "b\n", 10_000);
    const source = directory.host({ recordsPerBundleMax: 1 });
    await source.bundle();
    await unlink(at("a.csv"));
    await source.settle(20_000);
    expect(source.texts).to.deep.equal(["1", "b"]);
  });

  it("goes on when the directory is removed and made again", async () => {
    await directory.writeAged("a.csv", "1\n", 20_000);
    const source = directory.host({ isWatching: true });
    await source.settle();
    const backup = await mkdtemp(join(tmpdir(), "millrace-backup-"));
    await rename(at("a.csv"), join(backup, "a.csv"));
    await rm(directory.root, { recursive: true });
    for (let i = 0; i < 4; i++) await next(source);
    expect(source.warnings()).to.include("the input directory cannot be read: trying again");
    await mkdir(directory.root);
    await rename(join(backup, "a.csv"), at("a.csv"));
    await writeFile(at("b.csv"), "2\n");
    await next(source);
    expect(source.texts).to.deep.equal(["1", "2"]);
    await source.restart();
    await rm(backup, { recursive: true });
  });

  it("never opens what is not a regular file", async () => {
    await promisify(execFile)("mkfifo", [at("fifo.csv")]);
    await mkdir(at("dir.csv"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at("socket.csv"), resolve));
    await writeFile(at("a.csv"), "1\n");
    const source = directory.host();
    expect(await source.settle(3000)).to.deep.equal(["1"]);
    await new Promise((resolve) => server.close(resolve));
  });

  it("follows symbolic links only to files inside, and reads no file twice", async () => {
    const outside = await mkdtemp(join(tmpdir(), "millrace-outside-"));
    await writeFile(join(outside, "secret.csv"), "secret\n");
    await directory.writeAged("target", "inside\n", 20_000);
    await directory.writeAged("a.csv", "a\n", 19_000);
    await symlink(join(outside, "secret.csv"), at("out.csv"));
    await symlink("../../../../etc/hostname", at("up.csv"));
    await symlink("loop.csv", at("loop.csv"));
    await symlink("nothing", at("dangling.csv"));
    await symlink("target", at("in.csv"));
    await symlink("a.csv", at("again.csv"));
    expect((await directory.host().settle(3000)).sort()).to.deep.equal(["a", "inside"]);
    expect(await directory.host({ symlinks: "never" }).settle(3000)).to.deep.equal(["a"]);
    await rm(outside, { recursive: true });
  });

  it("does not open a path that became a FIFO or left the directory after it was seen", async () => {
    await directory.writeAged("a.csv", "1\n2\n", 20_000);
    const source = directory.host({ recordsPerBundleMax: 1 });
    await source.bundle();
    await unlink(at("a.csv"));
    await promisify(execFile)("mkfifo", [at("a.csv")]);
    expect(await source.settle(3000)).to.deep.equal([]);
    await unlink(at("a.csv"));
    await symlink("/etc/hostname", at("a.csv"));
    expect(await next(source)).to.deep.equal([]);
  });

  it("reads names with newlines, of 255 bytes, and with times of zero or in the future", async () => {
    const names = ["a\nb.csv", `${"n".repeat(251)}.csv`, "zero.csv", "future.csv"];
    for (const name of names) await writeFile(at(name), `${names.indexOf(name)}\nx`);
    await utimes(at("zero.csv"), 0, 0);
    const future = Date.now() / 1000 + 86_400;
    await utimes(at("future.csv"), future, future);
    const source = directory.host();
    await source.settle(1500);
    expect(new Set(source.committed.map(({ path }) => path))).to.deep.equal(new Set(names));
    expect(source.committed.length).to.equal(8);
  });
});
