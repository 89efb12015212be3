/** What to suggest for a folder that is not there. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { nearestName } from "../../runners/nearest-name.js";

/** ` Did you mean "data/raw"?` when a folder of a similar name stands in the same place, else how to make it. */
export async function suggestFolder(path: string): Promise<string> {
  const parts = path.split("/");
  for (let depth = 0; depth < parts.length; depth++) {
    const parent = parts.slice(0, depth).join("/") || (path.startsWith("/") ? "/" : ".");
    const names = await foldersIn(parent);
    const part = parts[depth]!;
    if (part === "" || part === "." || part === ".." || names.includes(part)) continue;
    const nearest = nearestName(part, names);
    if (nearest === undefined) break;
    parts[depth] = nearest;
    if (depth === parts.length - 1) return ` Did you mean "${join(...unrooted(path, parts))}"?`;
  }
  return ` Create it: mkdir -p ${path}`;
}

function unrooted(path: string, parts: readonly string[]): string[] {
  return path.startsWith("/") ? ["/", ...parts] : [...parts];
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
