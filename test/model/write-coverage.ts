/**
 * Writes docs/model-coverage.md from the scenarios, or with `--check` compares it: exit 1 if it differs. The test
 * files are imported without mocha, which only fills the list.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { coveragePage } from "./support/coverage-page.js";
import { registeredScenarios } from "./support/scenarios.js";

const PAGE = fileURLToPath(new URL("../../../docs/model-coverage.md", import.meta.url));
const FOLDER = fileURLToPath(new URL(".", import.meta.url));

const suite = { timeout: () => undefined };
const nothing = () => undefined;
Object.assign(globalThis, {
  describe: (_title: string, body: () => void) => body.call(suite),
  it: nothing,
  before: nothing,
  after: nothing,
  beforeEach: nothing,
  afterEach: nothing,
});
for (const name of readdirSync(FOLDER).sort()) {
  if (name.endsWith(".test.js")) await import(join(FOLDER, name));
}
const page = coveragePage(registeredScenarios());
if (!process.argv.includes("--check")) {
  writeFileSync(PAGE, page);
} else if (readFileSync(PAGE, "utf8") !== page) {
  console.error("docs/model-coverage.md is not what the scenarios give: run `npm run model:coverage`");
  process.exitCode = 1;
}
