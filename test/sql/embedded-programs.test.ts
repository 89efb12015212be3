/** PostgreSQL's programs, where the package's own place will not do. */

import { chmod, cp, mkdir, mkdtemp, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { EmbeddedPostgresError } from "../../sql/embedded/embedded-postgres-error.js";
import { findPrograms, majorOf, usablePrograms } from "../../sql/embedded/postgres-programs.js";
import { isRoot, serverAccountFor } from "../../sql/embedded/server-account.js";
import { EmbeddedCommands } from "../support/embedded-commands.js";

describe("findPrograms()", () => {
  it("finds those of an npm package, and of another major under its alias", async () => {
    expect(majorOf(await findPrograms())).to.equal(15);
    expect(majorOf(await findPrograms("postgres-13"))).to.equal(13);
  });

  it("names the package that is not installed", async () => {
    const error = await findPrograms("postgres-0").catch((failure: unknown) => failure);
    expect(error).to.be.instanceOf(EmbeddedPostgresError);
    expect(error).to.include({ code: "programs_missing" });
  });
});

describe("usablePrograms()", () => {
  let root: string;
  let messages: string[];
  const log = (message: string): void => void messages.push(message);
  beforeEach(async () => {
    messages = [];
    root = await mkdtemp(join(tmpdir(), "millrace-test-"));
    await chmod(root, 0o755);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it("copies once a package that was installed without its links, and makes them", async () => {
    const packaged = await fakePackage(join(root, "package"));
    const use = { account: undefined, ownFolder: root, reachableDirs: [], log };
    const programs = await usablePrograms(packaged, use);
    expect(programs.folder).to.equal(join(root, `postgres-15.0.0-test-${process.platform}-${process.arch}`));
    expect(await readlink(join(programs.folder, "lib", "libz.so"))).to.equal("libz.so.1");
    expect(messages).to.deep.equal([
      `PostgreSQL's programs are copied to ${programs.folder}, because their package was installed without its links`,
    ]);
    const { mtimeMs } = await stat(join(programs.folder, "bin", "initdb"));
    await usablePrograms(packaged, use);
    expect((await stat(join(programs.folder, "bin", "initdb"))).mtimeMs).to.equal(mtimeMs);
    expect(messages).to.have.length(1);
  });

  it("copies again what a crash has torn", async () => {
    const packaged = await fakePackage(join(root, "package"));
    const use = { account: undefined, ownFolder: root, reachableDirs: [], log };
    const { folder } = await usablePrograms(packaged, use);
    await writeFile(join(folder, "lib", "libz.so.1"), "");
    await usablePrograms(packaged, use);
    expect(await readFile(join(folder, "lib", "libz.so.1"), "utf8")).to.equal("library");
  });

  it("refuses a path that pg_ctl would hand to a shell", async () => {
    const packaged = await fakePackage(join(root, "a $folder"));
    const use = { account: undefined, ownFolder: join(root, "a $folder"), reachableDirs: [], log };
    const error = await usablePrograms(packaged, use).catch((failure: unknown) => failure);
    expect(error).to.include({ code: "path_unusable" });
  });

  if (isRoot()) {
    it("copies for the server's account what lies under a folder 0700", async () => {
      await mkdir(join(root, "closed"), { mode: 0o700 });
      const packaged = await fakePackage(join(root, "closed", "package"));
      await writeFile(join(packaged.folder, "pg-symlinks.json"), "[]");
      const account = await serverAccountFor(undefined);
      const use = { account, ownFolder: root, reachableDirs: [join(root, "system")], log };
      const programs = await usablePrograms(packaged, use);
      expect(programs.folder).to.match(/system\/postgres-15/);
      expect(messages[0]).to.contain(`because ${account?.name} cannot reach ${packaged.folder}`);
      expect((await stat(programs.folder)).uid).to.equal(0);
    });

    it("passes over a folder that others may write", async () => {
      await mkdir(join(root, "open"));
      await chmod(join(root, "open"), 0o777);
      const packaged = await fakePackage(join(root, "package"));
      const account = await serverAccountFor(undefined);
      const reachableDirs = [join(root, "open"), join(root, "system")];
      const programs = await usablePrograms(packaged, { account, ownFolder: root, reachableDirs, log });
      expect(programs.folder).to.match(/system\/postgres-15/);
    });

    it("serves as root from a clone that only root can enter", async () => {
      const commands = await EmbeddedCommands.create();
      try {
        const packaged = { folder: join(root, "closed", "native"), version: commands.programs.version };
        await mkdir(join(root, "closed"), { mode: 0o700 });
        await cp(commands.programs.folder, packaged.folder, { recursive: true, verbatimSymlinks: true });
        const options = { programs: packaged, reachableDirs: [join(root, "system")] };
        const stateDir = join(root, "closed", ".millrace");
        const database = await commands.open(stateDir, { ...options, log });
        expect(database.dataDir.startsWith(join(root, "system"))).to.equal(true);
        expect(messages).to.have.length(3); // the data's place, the programs' place, the start
        await database.close();
      } finally {
        await commands.clear();
      }
    });
  }
});

/** Enough of a package to be copied, with a link that npm did not pack. */
async function fakePackage(folder: string): Promise<{ folder: string; version: string }> {
  for (const part of ["bin", "lib", "share"]) await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, "bin", "initdb"), "program", { mode: 0o755 });
  await writeFile(join(folder, "lib", "libz.so.1"), "library");
  const links = [{ source: "native/lib/libz.so.1", target: "native/lib/libz.so" }];
  await writeFile(join(folder, "pg-symlinks.json"), JSON.stringify(links));
  return { folder, version: "15.0.0-test" };
}
