/** Builds the pages when their sources changed since they were built last; `npm run build` calls it. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const sources = "runners/monitor/pages";
const built = "dist/runners/monitor/pages";
const stampFile = join(built, ".sources");
/** Besides the pages themselves: the types they read, and the versions of what they are built with. */
const others = ["runners/job/job-view.ts", "package-lock.json"];

const stamp = stampOfSources();
if (!existsSync(join(built, "index.html")) || readStamp() !== stamp) {
  rmSync(join(built, "assets"), { recursive: true, force: true });
  run("node_modules/typescript/bin/tsc", ["-p", `${sources}/tsconfig.json`]);
  run("node_modules/vite/bin/vite.js", [
    "build",
    "--config",
    `${sources}/vite.config.ts`,
    "--logLevel",
    "warn",
  ]);
  writeFileSync(stampFile, stamp);
}

function stampOfSources(): string {
  const hash = createHash("sha256");
  const files = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of [...files, ...others]) hash.update(`${file}\0`).update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

function readStamp(): string | undefined {
  return existsSync(stampFile) ? readFileSync(stampFile, "utf8") : undefined;
}

function run(program: string, args: readonly string[]): void {
  const { status, signal } = spawnSync(process.execPath, [program, ...args], { stdio: "inherit" });
  if (status === 0) return;
  console.error(`${program} ended with ${signal ?? `code ${status}`}: the pages are not built`);
  process.exit(1);
}
