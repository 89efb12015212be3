/**
 * Runs the scenarios on job servers, one after the other, and records what came of them in test/model/results, from
 * which `npm run model:coverage` writes the page. `--runner=prism` runs on that one alone.
 */
import { spawnSync } from "node:child_process";
import { resultsFile } from "./support/portable-results.js";
import { type PortableTargetName, portableTargets } from "./support/portable-targets.js";

const known = Object.keys(portableTargets) as PortableTargetName[];
const [wanted, ...others] = process.argv.slice(2).map((argument) => argument.replace(/^--runner=/, ""));
if (others.length > 0 || (wanted !== undefined && !known.includes(wanted as PortableTargetName))) {
  throw new Error(`takes one --runner of ${known.join(", ")}, got ${process.argv.slice(2).join(" ")}`);
}

for (const target of wanted === undefined ? known : [wanted as PortableTargetName]) {
  const { status } = spawnSync("mocha", ["--config", ".mocharc.model-portable.json"], {
    stdio: "inherit",
    env: { ...process.env, MILLRACE_MODEL_RUNNER: target, MILLRACE_MODEL_RESULTS: resultsFile(target) },
  });
  if (status !== 0) process.exitCode = 1;
}
