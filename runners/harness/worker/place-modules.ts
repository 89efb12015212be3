/** Where a worker has the pipeline's modules: its own files where they are the same, else copies below its root. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type StagedModule, sha256Of } from "./staged-modules.js";
import { WorkerStartError } from "./worker-start-error.js";

/** Below the worker's root; what is in it may be deleted when no worker runs. */
const COPIES = [".millrace", "modules"];
const PACKAGE_FILE = "package.json";
/** The package that this worker is of, whose registry the modules must share. */
const MILLRACE = "millrace";
const millraceRoot = fileURLToPath(new URL("../../../../", import.meta.url));

/** Gives the bytes of a module, verified. @throws WorkerStartError */
export type FetchModule = (module: StagedModule) => Promise<Uint8Array>;

/**
 * URLs to import, in the order of the modules. Only what the worker has not is fetched.
 * Of the worker's own package, a module that the worker has too is the worker's, so that both share one registry. All
 * others become copies, one folder a set of modules, in which they find each other, and from which the root's
 * packages are found.
 * @throws WorkerStartError when the worker's own package has the file with another content.
 */
export async function placeModules(
  root: string,
  modules: readonly StagedModule[],
  fetch: FetchModule,
): Promise<string[]> {
  const ownPackage = await packageNameOf(root);
  const places = new Map<StagedModule, string>();
  for (const [name, ofPackage] of byPackage(modules)) {
    if (name !== undefined && name === ownPackage) await placeOwn(root, ofPackage, fetch, places);
    else await placeForeign(root, ofPackage, fetch, places);
  }
  return modules
    .filter(({ isImported }) => isImported)
    .map((module) => pathToFileURL(places.get(module)!).href);
}

async function placeOwn(
  root: string,
  modules: readonly StagedModule[],
  fetch: FetchModule,
  places: Map<StagedModule, string>,
): Promise<void> {
  // the root's own holds for the copies below it
  const placed = modules.filter(({ module }) => module !== PACKAGE_FILE);
  const own: StagedModule[] = [];
  for (const module of placed) {
    if (await isSameFile(path.join(root, module.module), module)) own.push(module);
  }
  for (const module of own) places.set(module, path.join(root, module.module));
  if (own.length === placed.length) return;
  const folder = setFolder(root, placed, own);
  for (const module of placed) {
    const copy = path.join(folder, module.module);
    // Node follows the link: what a copy imports is the worker's own module, not a second one
    if (own.includes(module)) await linkOnce(path.join(root, module.module), copy);
    else places.set(module, await copyOnce(copy, module, fetch));
  }
}

/** With its own package.json, which says what its modules are, and with this worker's Millrace. */
async function placeForeign(
  root: string,
  modules: readonly StagedModule[],
  fetch: FetchModule,
  places: Map<StagedModule, string>,
): Promise<void> {
  const folder = setFolder(root, modules, []);
  for (const module of modules) {
    places.set(module, await copyOnce(path.join(folder, module.module), module, fetch));
  }
  await linkOnce(millraceRoot, path.join(folder, "node_modules", MILLRACE));
}

function byPackage(modules: readonly StagedModule[]): Map<string | undefined, StagedModule[]> {
  const packages = new Map<string | undefined, StagedModule[]>();
  for (const module of modules) {
    const known = packages.get(module.package);
    if (known === undefined) packages.set(module.package, [module]);
    else known.push(module);
  }
  return packages;
}

/** One for each set, and for what of it is the worker's own. */
function setFolder(root: string, modules: readonly StagedModule[], own: readonly StagedModule[]): string {
  const lines = modules.map((one) => `${own.includes(one) ? "own" : one.sha256} ${one.module}\n`);
  return path.join(root, ...COPIES, sha256Of(Buffer.from(`${modules[0]?.package ?? ""}\n${lines.join("")}`)));
}

async function packageNameOf(root: string): Promise<string | undefined> {
  const file = path.join(root, PACKAGE_FILE);
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    const { name } = JSON.parse(Buffer.from(text).toString()) as { readonly name?: string };
    return name;
  } catch (error) {
    const message = `${file} must be JSON: ${(error as Error).message}`;
    throw new WorkerStartError("module_import", message, { cause: error });
  }
}

async function isSameFile(file: string, { module, sha256 }: StagedModule): Promise<boolean> {
  const own = await readIfThere(file);
  if (own === undefined) return false;
  const ownHash = sha256Of(own);
  if (ownHash === sha256) return true;
  throw new WorkerStartError(
    "module_hash",
    `module ${module} was staged with SHA-256 ${sha256}, but the worker's own ${file} has ${ownHash}: ` +
      "build both from the same sources",
  );
}

/** The file's path. Other workers of the pool do the same at the same time. */
async function copyOnce(file: string, module: StagedModule, fetch: FetchModule): Promise<string> {
  const there = await readIfThere(file);
  if (there !== undefined && sha256Of(there) === module.sha256) return file;
  const data = await fetch(module);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const partial = `${file}.${randomUUID()}`;
    await writeFile(partial, data);
    await rename(partial, file);
  } catch (error) {
    throw notPlaced(file, error);
  }
  return file;
}

async function linkOnce(target: string, link: string): Promise<void> {
  try {
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(target, link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw notPlaced(link, error);
  }
}

function notPlaced(file: string, error: unknown): WorkerStartError {
  const message = `a staged module cannot be put at ${file}: ${(error as Error).message}`;
  return new WorkerStartError("module_import", message, { cause: error });
}

async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new WorkerStartError("module_import", `${file} cannot be read: ${(error as Error).message}`);
  }
}
