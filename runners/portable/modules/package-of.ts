/** The package that a file belongs to, as Node sees it. */
import { readFile } from "node:fs/promises";
import path from "node:path";

export interface FilePackage {
  /** Absolute path of the nearest folder whose package.json has a name; without one, the file's own folder. */
  readonly root: string;
  readonly name: string | undefined;
  /** Every package.json from the file up to the root: one without a name may still say how modules are read. */
  readonly manifests: readonly string[];
}

/** @throws SyntaxError naming the file when a package.json is not JSON */
export async function packageOf(file: string): Promise<FilePackage> {
  const manifests: string[] = [];
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, "package.json");
    const name = await nameIn(manifest);
    if (name !== undefined) manifests.push(manifest);
    if (name) return { root: folder, name, manifests };
    if (folder === path.dirname(folder)) {
      const own = manifests.filter((one) => path.dirname(one) === path.dirname(file));
      return { root: path.dirname(file), name: undefined, manifests: own };
    }
  }
}

/** Empty when it has none, undefined when there is no such file. */
async function nameIn(manifest: string): Promise<string | undefined> {
  const text = await readFile(manifest, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const { name } = JSON.parse(text) as { readonly name?: unknown };
    return typeof name === "string" ? name : "";
  } catch (error) {
    throw new SyntaxError(`${manifest} must be JSON: ${(error as Error).message}`, { cause: error });
  }
}
