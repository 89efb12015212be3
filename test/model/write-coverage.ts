/**
 * Writes docs/model-coverage.md from the scenarios of the test files beside it; with `--print` it prints the page
 * instead. Run by `npm run model:coverage`.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type AllResults, coveragePage } from "./support/coverage-page.js";
import { readResults } from "./support/portable-results.js";
import { type PortableTargetName, portableTargets } from "./support/portable-targets.js";
import { registeredScenarios } from "./support/scenarios.js";

/** Test files that hold no scenarios, and need mocha to be imported. */
const NO_SCENARIOS = new Set(["coverage.test.js", "random-pipelines.test.js"]);
const HERE = new URL("./", import.meta.url);
const PAGE = fileURLToPath(new URL("../../../docs/model-coverage.md", import.meta.url));

for (const file of readdirSync(HERE).sort()) {
  if (file.endsWith(".test.js") && !NO_SCENARIOS.has(file)) await import(new URL(file, HERE).href);
}
const targets = Object.keys(portableTargets) as PortableTargetName[];
const results = Object.fromEntries(targets.map((target) => [target, readResults(target)]));
const page = coveragePage(registeredScenarios(), results as AllResults);
if (process.argv.includes("--print")) process.stdout.write(page);
else writeFileSync(PAGE, page);
