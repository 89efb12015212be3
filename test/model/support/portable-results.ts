/** What came of the scenarios on a job server, kept in files from which docs/model-coverage.md is made. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { lastLines } from "./portable-target.js";
import { type PortableTargetName, portableTarget } from "./portable-targets.js";

/** `passed`, or why it is not run; by category and name. */
export type PortableResults = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const PASSED = "passed";

/** Where the run on a target is to be recorded; without it, it is not. */
const FILE_VARIABLE = "MILLRACE_MODEL_RESULTS";

const results: Record<string, Record<string, string>> = {};

/** Keeps what came of a scenario of this run. */
export function noteResult(category: string, name: string, outcome: string): void {
  results[category] ??= {};
  results[category][name] = outcome;
  writeResults();
}

/** For whoever looks into it: the whole message and the server's last lines. */
export async function noteFailure(scenario: string, error: unknown): Promise<void> {
  const file = process.env["MILLRACE_MODEL_FAILURES"];
  if (!file) return;
  const { message, detail, actual, expected } = error as Error & Record<string, unknown>;
  const lines = await lastLines();
  appendFileSync(file, `${JSON.stringify({ scenario, message, detail, actual, expected, lines })}\n`);
}

export function writeResults(): void {
  const file = process.env[FILE_VARIABLE];
  if (!file || portableTarget === undefined) return;
  writeFileSync(file, `${JSON.stringify(sorted(results), undefined, 2)}\n`);
}

/** As recorded last. @throws when there is no record of the target. */
export function readResults(target: PortableTargetName): PortableResults {
  return JSON.parse(readFileSync(resultsFile(target), "utf8")) as PortableResults;
}

/** Beside the sources, not beside what was built of them. */
export function resultsFile(target: PortableTargetName): string {
  return fileURLToPath(new URL(`../../../../test/model/results/${target}.json`, import.meta.url));
}

function sorted(categories: PortableResults): PortableResults {
  const entries = Object.entries(categories).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    entries.map(([category, names]) => [
      category,
      Object.fromEntries(Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1))),
    ]),
  );
}
