/** Gives a file that was set aside, to be archived or deleted, a visible name again. */
import { basename, dirname, join } from "node:path";
import type { Log } from "../primitives/do-fn.js";
import type { InputDirectory } from "./input-directory.js";
import { parseAsideName } from "./name-filter.js";

/** Renames it to what it was called, or to a name of its own where that is taken. Paths are relative. */
export async function restoreAside(
  directory: InputDirectory,
  log: Log,
  path: string,
  fileId: number,
): Promise<{ original: string; to: string }> {
  const { name } = parseAsideName(basename(path))!;
  const original = join(dirname(path), name);
  const isFree = (await directory.look(original)) === undefined;
  const to = isFree ? original : join(dirname(path), `recovered-${fileId}-${name}`);
  log.warn("file that was set aside is not what it was: it is read again", { path, to });
  await directory.fs.rename(directory.absolute(path), directory.absolute(to));
  return { original, to };
}
