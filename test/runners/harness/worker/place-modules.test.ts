/** Staged modules in a worker: which are its own, which become copies, and which are refused. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ArtifactFilePayload, ArtifactInformation } from "apache-beam/proto/beam_runner_api";
import { expect } from "chai";
import {
  encodeModuleRole,
  MODULE_FILE_ROLE,
  MODULE_ROLE,
} from "../../../../runners/harness/worker/module-role.js";
import { placeModules } from "../../../../runners/harness/worker/place-modules.js";
import {
  type StagedModule,
  sha256Of,
  stagedModules,
  verifyModule,
} from "../../../../runners/harness/worker/staged-modules.js";

const HASH = sha256Of(Buffer.from("x"));

function artifact(role: object | string, roleUrn = MODULE_ROLE): ArtifactInformation {
  const rolePayload = Buffer.from(typeof role === "string" ? role : JSON.stringify(role));
  return ArtifactInformation.create({ roleUrn, rolePayload });
}

describe("stagedModules()", () => {
  it("takes the artifacts in the roles of modules, in their order, with the role's hash where the file has none", () => {
    const role = { module: "src/a.js", sha256: HASH, package: "shop" };
    const typePayload = ArtifactFilePayload.toBinary({ path: "a.js", sha256: HASH.toUpperCase() });
    const typeUrn = "beam:artifact:type:file:v1";
    const staged = stagedModules([
      ArtifactInformation.create({ roleUrn: "beam:artifact:role:staging_to:v1" }),
      ArtifactInformation.create({
        roleUrn: MODULE_ROLE,
        rolePayload: encodeModuleRole(role),
        typeUrn,
        typePayload,
      }),
      artifact({ module: "b.json", sha256: HASH }, MODULE_FILE_ROLE),
    ]);
    expect(staged.map(({ artifact: _, ...rest }) => rest)).to.deep.equal([
      { ...role, isImported: true },
      { module: "b.json", sha256: HASH, package: undefined, isImported: false },
    ]);
  });

  const refused: readonly [role: object | string, message: RegExp][] = [
    ["{", /the role of a staged module must be a JSON object, got "\{"/],
    ["null", /the role of a staged module must be a JSON object, got "null"/],
    [{ sha256: HASH }, /must name a path below its package, got undefined/],
    [{ module: "../a.js", sha256: HASH }, /must name a path below its package, got "..\/a.js"/],
    [{ module: "/etc/a.js", sha256: HASH }, /must name a path below its package/],
    [{ module: "a.js" }, /the staged module a.js comes without SHA-256/],
    [
      { module: "a.js", sha256: HASH, package: 3 },
      /the package of the staged module a.js must be a name, got 3/,
    ],
  ];
  for (const [role, message] of refused) {
    it(`refuses the role ${JSON.stringify(role)}`, () => {
      expect(() => stagedModules([artifact(role)])).to.throw(message);
    });
  }

  it("refuses bytes of another hash, naming both", () => {
    const other = sha256Of(Buffer.from("y"));
    expect(() => verifyModule({ module: "a.js", sha256: HASH }, Buffer.from("y"))).to.throw(
      `the artifact of module a.js must have SHA-256 ${HASH}, got ${other}`,
    );
  });
});

describe("placeModules()", () => {
  let root: string;
  let fetched: string[];
  const contents = new Map<StagedModule, string>();

  beforeEach(() => {
    root = realpathSync(mkdtempSync(path.join(tmpdir(), "millrace-place-")));
    fetched = [];
    write("package.json", '{ "name": "shop", "type": "module" }');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function write(name: string, text: string): void {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }

  function staged(
    module: string,
    text: string,
    isImported = true,
    name: string | undefined = "shop",
  ): StagedModule {
    const one = {
      module,
      package: name,
      sha256: sha256Of(Buffer.from(text)),
      isImported,
      artifact: artifact(""),
    };
    contents.set(one, text);
    return one;
  }

  const place = async (...modules: StagedModule[]) =>
    (
      await placeModules(root, modules, async (module) => {
        fetched.push(module.module);
        return Buffer.from(contents.get(module)!);
      })
    ).map((url) => fileURLToPath(url));

  it("imports the worker's own file where it is the same, and fetches nothing", async () => {
    write("dist/a.js", "export const a = 1;");
    const own = await place(staged("dist/a.js", "export const a = 1;"), staged("package.json", "{}", false));
    expect(own).to.deep.equal([path.join(root, "dist/a.js")]);
    expect(fetched).to.deep.equal([]);
    expect(existsSync(path.join(root, ".millrace"))).to.equal(false);
  });

  it("copies what the worker has not, from which the worker's own modules are found, each once", async () => {
    write("lib/own.js", "export const own = {};");
    const modules = [
      staged("src/a.js", 'export { own } from "../lib/own.js"; export { text } from "./text.js";'),
      staged("lib/own.js", "export const own = {};", false),
      staged("src/text.js", 'export const text = "travelled";', false),
    ];
    const [copy] = await place(...modules);
    expect(copy).to.match(new RegExp(`^${root}/.millrace/modules/[0-9a-f]{64}/src/a.js$`));
    const { own, text } = await import(pathToFileURL(copy!).href);
    expect(text).to.equal("travelled");
    expect(own).to.equal((await import(pathToFileURL(path.join(root, "lib/own.js")).href)).own);
    expect(fetched).to.deep.equal(["src/a.js", "src/text.js"]);
    expect(await place(...modules), "again").to.deep.equal([copy]);
    expect(fetched, "again").to.deep.equal(["src/a.js", "src/text.js"]);
  });

  it("fetches a copy anew that somebody has changed", async () => {
    const module = staged("a.js", "export const a = 2;");
    const [copy] = await place(module);
    writeFileSync(copy!, "changed");
    await place(module);
    expect(readFileSync(copy!, "utf8")).to.equal("export const a = 2;");
  });

  it("refuses a file that the worker's own package has with another content, naming both hashes", async () => {
    write("dist/a.js", "mine");
    const error = await place(staged("dist/a.js", "yours")).catch((reason: unknown) => reason);
    expect((error as Error).message).to.equal(
      `module dist/a.js was staged with SHA-256 ${sha256Of(Buffer.from("yours"))}, but the worker's own ` +
        `${path.join(root, "dist/a.js")} has ${sha256Of(Buffer.from("mine"))}: build both from the same sources`,
    );
    expect(fetched).to.deep.equal([]);
  });

  it("copies all of another package, read as its own package.json says, with this Millrace", async () => {
    write("a.js", "mine");
    const [copy] = await place(
      staged(
        "a.js",
        'exports.a = require("./b"); exports.millrace = () => import("millrace/transforms");',
        true,
        "other",
      ),
      staged("package.json", '{ "name": "other", "type": "commonjs" }', false, "other"),
      staged("b.js", "module.exports = 5;", false, "other"),
    );
    const { a, millrace } = (await import(pathToFileURL(copy!).href)).default;
    expect(a).to.equal(5);
    const own = await import("../../../../transforms/index.js");
    expect((await millrace()).registerDoFn).to.equal(own.registerDoFn);
  });
});
