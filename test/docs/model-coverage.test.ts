/** docs/model-coverage.md tells what the scenarios show. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";

describe("docs/model-coverage.md", () => {
  it("is what the scenarios give, at least 150 of them, every feature shown by one", async () => {
    const script = fileURLToPath(new URL("../model/write-coverage.js", import.meta.url));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, "--check"]);
    expect(stdout + stderr).to.equal("");
    const page = readFileSync(new URL("../../../docs/model-coverage.md", import.meta.url), "utf8");
    expect(Number(/^## The (\d+) scenarios$/m.exec(page)?.[1])).to.be.at.least(150);
  });
});
