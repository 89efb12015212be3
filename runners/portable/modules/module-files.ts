/** The files that the pipeline's modules need in a worker: they, and what they import below their package's root. */
import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MODULE_BYTES_MAX, type ModuleRole } from "../../harness/worker/module-role.js";
import { moduleUrl } from "../../harness/worker/module-url.js";
import { type FilePackage, packageOf } from "./package-of.js";
import { type RelativeImport, relativeImports } from "./relative-imports.js";

export interface ModuleFile extends ModuleRole {
  /** Whether workers import it, or only put it where others import it. */
  readonly isImported: boolean;
  readonly data: Uint8Array;
}

/** How many files one pipeline may take along. */
export const MODULE_FILES_MAX = 5_000;

/** The pipeline's modules cannot travel: which file, and why not. */
export class ModuleFilesError extends Error {
  override readonly name = "ModuleFilesError";
}

/**
 * The modules in their order, each before what it imports; nothing twice. Packages that they import by name do not
 * travel: workers have their own.
 * @throws ModuleFilesError
 */
export async function moduleFiles(modules: readonly (string | URL)[]): Promise<ModuleFile[]> {
  const entries = await Promise.all(modules.map(entryFile));
  const walk = new Walk(new Set(entries));
  for (const entry of entries) await walk.add(entry);
  return [...walk.files.values()];
}

async function entryFile(module: string | URL): Promise<string> {
  const url = moduleUrl(module);
  if (!url.startsWith("file:")) {
    throw new ModuleFilesError(`a module that workers fetch must be a file, got ${url}`);
  }
  const file = fileURLToPath(url);
  try {
    // as Node does, whose modules are known by their real paths
    return await realpath(file);
  } catch (error) {
    throw new ModuleFilesError(`module ${file} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

class Walk {
  /** By absolute path. */
  readonly files = new Map<string, ModuleFile>();
  /** Where each path of a package comes from: two packages may have one name. */
  readonly #owners = new Map<string, string>();
  /** By folder. */
  readonly #packages = new Map<string, FilePackage>();
  readonly #entries: ReadonlySet<string>;

  constructor(entries: ReadonlySet<string>) {
    this.#entries = entries;
  }

  /** With all that it imports, and the package.json that says how it is read. */
  async add(entry: string): Promise<void> {
    const { root, name } = await this.#packageOf(entry);
    const waiting = [entry];
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (this.files.has(file)) continue;
      const data = await this.#read(file, root, name);
      for (const manifest of (await this.#packageOf(file)).manifests) {
        if (!this.files.has(manifest)) await this.#read(manifest, root, name);
      }
      if (!/\.[cm]?js$/.test(file)) continue;
      const imported = await importedFiles(file, Buffer.from(data).toString(), root);
      waiting.push(...imported.reverse());
    }
  }

  async #packageOf(file: string): Promise<FilePackage> {
    const folder = path.dirname(file);
    const known = this.#packages.get(folder) ?? (await packageOf(file));
    this.#packages.set(folder, known);
    return known;
  }

  async #read(file: string, root: string, name: string | undefined): Promise<Uint8Array> {
    const module = path.relative(root, file).split(path.sep).join("/");
    const data = await readFile(file);
    if (data.length > MODULE_BYTES_MAX) {
      throw new ModuleFilesError(
        `module ${file} must have ${MODULE_BYTES_MAX} bytes at most, has ${data.length}`,
      );
    }
    const place = `${name ?? ""} ${module}`;
    const other = this.#owners.get(place);
    if (other !== undefined && other !== file) {
      throw new ModuleFilesError(
        `${other} and ${file} are both ${module} of ${name === undefined ? "a package without a name" : `the package "${name}"`}`,
      );
    }
    this.#owners.set(place, file);
    const sha256 = createHash("sha256").update(data).digest("hex");
    const isImported = this.#entries.has(file);
    this.files.set(file, { module, sha256, package: name, isImported, data });
    if (this.files.size > MODULE_FILES_MAX) {
      throw new ModuleFilesError(
        `a pipeline's modules must be ${MODULE_FILES_MAX} files at most, with all they import: too many from ${root}`,
      );
    }
    return data;
  }
}

/** Absolute paths. What is imported only when it is reached may be missing. */
async function importedFiles(file: string, source: string, root: string): Promise<string[]> {
  const files: string[] = [];
  for (const one of relativeImports(source)) {
    const imported = await resolved(file, one);
    if (imported === undefined) continue;
    if (!imported.startsWith(root + path.sep)) {
      throw new ModuleFilesError(
        `module ${file} imports "${one.specifier}", which lies outside its package ${root}: it cannot travel`,
      );
    }
    files.push(imported);
  }
  return files;
}

async function resolved(file: string, { specifier, kind }: RelativeImport): Promise<string | undefined> {
  if (specifier.startsWith("#")) {
    throw new ModuleFilesError(
      `module ${file} imports "${specifier}": only what is imported by a relative path travels with it`,
    );
  }
  try {
    const found =
      kind === "require"
        ? createRequire(file).resolve(specifier)
        : fileURLToPath(new URL(specifier, pathToFileURL(file)));
    const real = await realpath(found);
    if ((await stat(real)).isFile()) return real;
    throw new ModuleFilesError(`module ${file} imports "${specifier}", which is no file`);
  } catch (error) {
    if (kind !== "static") return undefined;
    if (error instanceof ModuleFilesError) throw error;
    throw new ModuleFilesError(`module ${file} imports "${specifier}", which is not there`, { cause: error });
  }
}
