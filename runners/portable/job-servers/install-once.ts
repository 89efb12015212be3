/** A cache folder that is there whole or not at all. */
import { randomUUID } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";

/** Names the files that the folder must hold. */
const CONTENTS = "contents.txt";

/** Where job servers are kept: `XDG_CACHE_HOME`, else `~/.cache`. */
export function defaultCacheDir(): string {
  return path.join(
    process.env["XDG_CACHE_HOME"] || path.join(homedir(), ".cache"),
    "millrace",
    "job-servers",
  );
}

/**
 * Resolves to the folder; fills it first when it is missing or lacks a file.
 * Of several processes that fill it at once, the first to end wins, and the others use its folder.
 */
export async function installOnce(folder: string, fill: (empty: string) => Promise<void>): Promise<string> {
  if (await isWhole(folder)) return folder;
  const parts = `${folder}.${process.pid}.${randomUUID()}`;
  await mkdir(parts, { recursive: true });
  try {
    await fill(parts);
    await writeFile(path.join(parts, CONTENTS), (await readdir(parts)).join("\n"));
    if (!(await isWhole(folder))) {
      await rm(folder, { recursive: true, force: true });
      await rename(parts, folder).catch(async (error: NodeJS.ErrnoException) => {
        if (!(await isWhole(folder))) throw error;
      });
    }
  } finally {
    await rm(parts, { recursive: true, force: true });
  }
  return folder;
}

async function isWhole(folder: string): Promise<boolean> {
  try {
    const names = (await readFile(path.join(folder, CONTENTS), "utf8")).split("\n");
    await Promise.all(names.map((name) => access(path.join(folder, name))));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}
