/** The command that a benchmark measures: what `npm run pipeline` runs, without npm. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export interface PipelineRun {
  readonly input: string;
  readonly url: string;
  /** A folder for dead letters, logs and state. */
  readonly work: string;
  readonly flags: readonly string[];
}

/** Node's arguments and environment; NODE_OPTIONS may add, e.g. `--cpu-prof`. */
export function pipelineCommand({ input, url, work, flags }: PipelineRun) {
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  const script = /^exec node (?<flags>.*?) ?dist\/pipelines\/cli\.js pipeline$/.exec(scripts.pipeline);
  if (script === null) throw new Error(`the script "pipeline" must exec node, got: ${scripts.pipeline}`);
  const nodeFlags = (script.groups?.["flags"] ?? "").split(" ").filter(Boolean);
  const folders = [`--error-dir=${work}/error`, `--log-dir=${work}/logs`, `--state-dir=${work}/state`];
  return {
    command: process.execPath,
    args: [
      ...nodeFlags,
      `${ROOT}dist/pipelines/cli.js`,
      "pipeline",
      `--input=${input}`,
      ...folders,
      ...flags,
    ],
    env: { DATABASE_URL: url },
  };
}
