/**
 * Preloaded with `node --import`: from here on whoever asks the SDK for a runner, in whatever way its own tests
 * and examples do, gets the direct runner. At the end `MILLRACE_RUNS` names a file for the number of runs.
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { DirectBeamRunner } from "../../../runners/direct/beam-runner.js";

const require = createRequire(import.meta.url);

/** CommonJS modules of the SDK by path: their exports can be replaced, and are looked up by each importer. */
const REPLACED = [
  ["apache-beam/runners/runner", "createRunner"],
  ["apache-beam/runners/runner", "loopbackRunner"],
  ["apache-beam/runners/direct_runner", "directRunner"],
  ["apache-beam/runners/dataflow", "dataflowRunner"],
] as const;

let runs = 0;

class CountingRunner extends DirectBeamRunner {
  override runAsync(
    ...run: Parameters<DirectBeamRunner["runAsync"]>
  ): ReturnType<DirectBeamRunner["runAsync"]> {
    runs += 1;
    return super.runAsync(...run);
  }
}

for (const [path, name] of REPLACED) {
  const sdk = require(path) as Record<string, unknown>;
  if (typeof sdk[name] !== "function") throw new Error(`${path} has no function ${name}`);
  // The SDK's options (job endpoint, project) are not this runner's.
  sdk[name] = () => new CountingRunner({});
}

process.on("exit", () => {
  const file = process.env["MILLRACE_RUNS"];
  if (file !== undefined) writeFileSync(file, String(runs));
});
