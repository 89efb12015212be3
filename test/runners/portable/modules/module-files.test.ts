/** moduleFiles(): the files that travel with a pipeline's modules. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { sha256Of } from "../../../../runners/harness/worker/staged-modules.js";
import { ModuleFilesError, moduleFiles } from "../../../../runners/portable/modules/module-files.js";

const MANIFEST = '{ "name": "shop-jobs", "type": "module" }';

describe("moduleFiles()", () => {
  let folder: string;

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "millrace-module-files-")));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

  const found = async (...modules: (string | URL)[]) =>
    (await moduleFiles(modules)).map(
      ({ package: name, module, isImported }) => `${name ?? "-"} ${module}${isImported ? " imported" : ""}`,
    );

  async function refusal(...modules: (string | URL)[]): Promise<string> {
    const error: unknown = await moduleFiles(modules).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(ModuleFilesError);
    return (error as Error).message.replaceAll(folder, "");
  }

  it("takes the module, what it imports by relative paths, and the package.json above it", async () => {
    write({
      "package.json": MANIFEST,
      "src/fns.js": 'import "../lib/a.js"; import data from "../data.json"; import pg from "pg";',
      "lib/a.js": 'export * from "./b.js"; await import("./late.js"); await import("./missing.js");',
      "lib/b.js": 'import "./a.js";',
      "lib/late.js": "",
      "data.json": "{}",
      "unused.js": "",
    });
    expect(await found(path.join(folder, "src/fns.js"))).to.deep.equal([
      "shop-jobs src/fns.js imported",
      "shop-jobs package.json",
      "shop-jobs lib/a.js",
      "shop-jobs lib/b.js",
      "shop-jobs lib/late.js",
      "shop-jobs data.json",
    ]);
  });

  it("gives each file's content with its SHA-256", async () => {
    write({ "a.js": "let a;" });
    const [file] = await moduleFiles([pathToFileURL(path.join(folder, "a.js"))]);
    expect(Buffer.from(file!.data).toString()).to.equal("let a;");
    expect(file!.sha256).to.equal(sha256Of(Buffer.from("let a;")));
  });

  it("takes a package.json without a name that says how the modules below it are read", async () => {
    write({ "package.json": MANIFEST, "cjs/package.json": '{ "type": "commonjs" }' });
    write({ "cjs/a.js": 'require("./b"); require("./not-there");', "cjs/b.js": "" });
    expect(await found(path.join(folder, "cjs/a.js"))).to.deep.equal([
      "shop-jobs cjs/a.js imported",
      "shop-jobs cjs/package.json",
      "shop-jobs package.json",
      "shop-jobs cjs/b.js",
    ]);
  });

  it("takes nothing twice, and modules by their real paths, in their order", async () => {
    write({ "package.json": MANIFEST, "a.js": 'import "./b.js";', "b.js": "" });
    symlinkSync(path.join(folder, "a.js"), path.join(folder, "link.js"));
    const [b, link, a] = ["b.js", "link.js", "a.js"].map((name) => path.join(folder, name));
    expect(await found(b!, link!, a!)).to.deep.equal([
      "shop-jobs b.js imported",
      "shop-jobs package.json",
      "shop-jobs a.js imported",
    ]);
  });

  it("refuses what cannot travel, by the file and what it imports", async () => {
    write({ "package/package.json": MANIFEST, "outside.js": "" });
    write({ "package/up.js": 'import "../outside.js";', "package/gone.js": 'import "./no.js";' });
    write({ "package/named.js": 'import "#fns";', "package/folder.js": 'import "./sub/";' });
    mkdirSync(path.join(folder, "package/sub"));
    const inPackage = (name: string) => path.join(folder, "package", name);
    expect(await refusal(inPackage("up.js"))).to.equal(
      'module /package/up.js imports "../outside.js", which lies outside its package /package: it cannot travel',
    );
    expect(await refusal(inPackage("gone.js"))).to.equal(
      'module /package/gone.js imports "./no.js", which is not there',
    );
    expect(await refusal(inPackage("folder.js"))).to.equal(
      'module /package/folder.js imports "./sub/", which is no file',
    );
    expect(await refusal(inPackage("named.js"))).to.equal(
      'module /package/named.js imports "#fns": only what is imported by a relative path travels with it',
    );
    expect(await refusal(inPackage("never.js"))).to.match(
      /^module \/package\/never.js cannot be read: ENOENT/,
    );
    expect(await refusal(new URL("data:text/javascript,0"))).to.equal(
      "a module that workers fetch must be a file, got data:text/javascript,0",
    );
  });

  it("refuses two files of one path in packages of one name", async () => {
    write({ "a/package.json": MANIFEST, "a/x.js": "1", "b/package.json": MANIFEST, "b/x.js": "2" });
    expect(await refusal(path.join(folder, "a/x.js"), path.join(folder, "b/x.js"))).to.equal(
      '/a/x.js and /b/x.js are both x.js of the package "shop-jobs"',
    );
  });
});
