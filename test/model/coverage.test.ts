/** docs/model-coverage.md is what the scenarios say. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const PAGE = fileURLToPath(new URL("../../../docs/model-coverage.md", import.meta.url));
const GENERATOR = fileURLToPath(new URL("./write-coverage.js", import.meta.url));

/** Those of Beam's ValidatesRunner categories that are ported, at the least. */
const SCENARIOS_MIN = 150;

describe("docs/model-coverage.md", () => {
  // In a process of its own: here, importing the scenarios once more would not register them again.
  const generated = () => execFileSync(process.execPath, [GENERATOR, "--print"], { encoding: "utf8" });

  it("is what `npm run model:coverage` writes", () => {
    expect(readFileSync(PAGE, "utf8")).to.equal(generated());
  });

  it("tells of at least 150 scenarios", () => {
    const [, count] = /^(\d+) in \d+ categories\.$/m.exec(readFileSync(PAGE, "utf8")) ?? [];
    expect(Number(count)).to.be.at.least(SCENARIOS_MIN);
  });
});
