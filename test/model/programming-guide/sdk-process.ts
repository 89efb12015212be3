/** Runs the SDK's own compiled tests and examples in a process in which every runner is the direct one. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const PRELOAD = fileURLToPath(new URL("./on-direct-runner.js", import.meta.url));
/** The package's folder of compiled files: `src/apache_beam` and `test`. */
const SDK = dirname(dirname(dirname(require.resolve("apache-beam"))));

export interface SdkProcess {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** How many pipelines it ran, all of them on the direct runner. */
  readonly runs: number;
}

/** Runs a file of the SDK by its path below `dist`. */
export function runSdkFile(path: string): Promise<SdkProcess> {
  return run([join(SDK, path)]);
}

/** What mocha's JSON reporter tells of a test file. */
export interface SdkTests extends SdkProcess {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly pending: readonly string[];
}

/** Runs a test file of the SDK; `titles` chooses its tests. */
export async function runSdkTests(path: string, titles: RegExp): Promise<SdkTests> {
  const mocha = join(dirname(require.resolve("mocha/package.json")), "bin/mocha.js");
  const reportFile = join(mkdtempSync(join(tmpdir(), "millrace-sdk-")), "report.json");
  const options = ["--no-config", "--timeout", "20000", "--reporter", "json"];
  const choice = ["--reporter-option", `output=${reportFile}`, "--grep", String(titles)];
  try {
    const ended = await run([mocha, ...options, ...choice, join(SDK, path)]);
    const report = JSON.parse(readFileSync(reportFile, "utf8")) as Record<string, { title: string }[]>;
    const titlesOf = (kind: string) => report[kind]!.map(({ title }) => title);
    return {
      ...ended,
      passed: titlesOf("passes"),
      failed: titlesOf("failures"),
      pending: titlesOf("pending"),
    };
  } finally {
    rmSync(dirname(reportFile), { recursive: true });
  }
}

async function run(file: readonly string[]): Promise<SdkProcess> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-sdk-"));
  const runsFile = join(folder, "runs");
  // The SDK's tests leave out what its own direct runner lacks, unless there is another: here there is.
  const env = { ...process.env, BEAM_SERVICE_OVERRIDES: "{}", MILLRACE_RUNS: runsFile };
  const child = spawn(process.execPath, ["--import", PRELOAD, ...file], { env });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject).once("close", resolve);
    });
    return { ...output, exitCode, runs: Number(readFileSync(runsFile, "utf8")) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
