/** relativeImports(): what a module's text imports, by table and beside TypeScript's own scanner. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import ts from "typescript";
import { relativeImports } from "../../../../runners/portable/modules/relative-imports.js";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));

describe("relativeImports()", () => {
  const cases: readonly [source: string, imports: readonly string[]][] = [
    ['import "./a.js";', ["static ./a.js"]],
    ['import a, { b as c } from "../a.js"', ["static ../a.js"]],
    ["import * as a from './a.json' with { type: 'json' };", ["static ./a.json"]],
    ['export { a } from "./a.js"; export * as b from "./b.js"', ["static ./a.js", "static ./b.js"]],
    ['export { a };\nconst from = "./no.js";', []],
    ['export const a = 1; import b from "pg"; import c from "node:fs";', []],
    ['import x from "#own";', ["static #own"]],
    ['await import("./a.js"); import(`./no.js`); import("./b.js", {})', ["dynamic ./a.js", "dynamic ./b.js"]],
    ['import.meta.url; import("./" + name); x.import("./no.js"); a?.require("./no.js")', []],
    ['const a = require("./a"); f(...require("./b"));', ["require ./a", "require ./b"]],
    ['// import "./no.js"\n/* import "./no.js" */ import /* x */ "./a.js"', ["static ./a.js"]],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a module
    ["const s = \"import './no.js'\"; const t = `import \"./no.js\" ${'`'} import './no.js'`;", []],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a module
    ['`${await import("./a.js")} ${`${import("./b.js")}`}`', ["dynamic ./a.js", "dynamic ./b.js"]],
    ['if (x) /`/.test(y); import("./a.js")', ["dynamic ./a.js"]],
    ['const half = (a + b) / 2; import("./a.js"); const c = d / 2', ["dynamic ./a.js"]],
    ["const r = /['\"`/]/; import './a.js'", ["static ./a.js"]],
    ["#!/usr/bin/env node\nimport './a.js'", ["static ./a.js"]],
  ];
  for (const [source, imports] of cases) {
    it(JSON.stringify(source), () => {
      expect(relativeImports(source).map(({ kind, specifier }) => `${kind} ${specifier}`)).to.deep.equal(
        imports,
      );
    });
  }

  it("finds what TypeScript finds in this build and in packages that it needs", () => {
    let seen = 0;
    for (const folder of ["dist", "node_modules/apache-beam", "node_modules/pg", "node_modules/mocha/lib"]) {
      for (const file of scripts(path.join(ROOT, folder))) {
        // TypeScript does not see this form
        const source = readFileSync(file, "utf8").replace(/export \* as \w+ from/g, "import * as it from");
        const expected = ts.preProcessFile(source, true, true).importedFiles.map(({ fileName }) => fileName);
        const actual = relativeImports(source).map(({ specifier }) => specifier);
        expect(actual.sort(), file).to.deep.equal(expected.filter((one) => /^(\.\.?\/|#)/.test(one)).sort());
        seen += actual.length;
      }
    }
    expect(seen).to.be.greaterThan(3_000);
  });
});

/** The pages' bundle is for browsers: its imports are templates, and no worker is ever given it. */
const BUNDLE = path.join(ROOT, "dist/runners/monitor/pages/assets");

function scripts(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?js$/.test(entry.name) && entry.parentPath !== BUNDLE)
    .map((entry) => path.join(entry.parentPath, entry.name));
}
