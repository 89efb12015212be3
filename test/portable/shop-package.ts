/** A package that is not Millrace: its module imports another file, and `millrace/transforms`. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export class ShopPackage {
  /** A DoFn of the module: the text in capital letters. */
  static readonly SHOUT = "shop-jobs/shout@1";
  readonly root = realpathSync(mkdtempSync(path.join(tmpdir(), "millrace-shop-jobs-")));
  readonly module = path.join(this.root, "src", "shout.js");

  constructor() {
    for (const folder of ["src", "lib"]) mkdirSync(path.join(this.root, folder));
    const write = (name: string, text: string) => writeFileSync(path.join(this.root, name), text);
    write("package.json", '{ "name": "shop-jobs", "type": "module" }');
    write("lib/loud.js", "export const loud = (text) => text.toUpperCase();");
    write(
      "src/shout.js",
      `import { registerDoFn } from "millrace/transforms";
       import { loud } from "../lib/loud.js";
       registerDoFn("${ShopPackage.SHOUT}", () => ({ process: (text) => [loud(text)] }));`,
    );
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
