/** The pipeline's modules that travel as artifacts: fetched, verified, and found or put below the worker's root. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { ArtifactFilePayload, type ArtifactInformation } from "./worker-grpc.js";
import { WorkerStartError } from "./worker-start-error.js";

/** An artifact in this role is a module to import. Its payload is JSON: `{"module": PATH, "sha256": HEX}`. */
export const MODULE_ROLE = "millrace:artifact:role:module:v1";
const FILE_TYPE = "beam:artifact:type:file:v1";

export interface StagedModule {
  /** Below the root of the package that staged it, e.g. `dist/pipelines/visits.js`. */
  readonly module: string;
  /** Hexadecimal, in lower case. */
  readonly sha256: string;
  readonly artifact: ArtifactInformation;
}

export interface FetchedModule extends StagedModule {
  readonly data: Uint8Array;
}

/** The modules among a job's artifacts, in their order. @throws WorkerStartError for one that is not understood. */
export function stagedModules(dependencies: readonly ArtifactInformation[]): StagedModule[] {
  return dependencies.filter(({ roleUrn }) => roleUrn === MODULE_ROLE).map(readModule);
}

function readModule(artifact: ArtifactInformation): StagedModule {
  const payload = parseRole(artifact.rolePayload);
  const module = payload["module"];
  if (typeof module !== "string" || !isBelowRoot(module)) {
    throw refused(`a staged module must name a path below its package, got ${JSON.stringify(module)}`);
  }
  // Java's job servers keep the file and forget its hash: then the one of the role counts
  const hashes = [payload["sha256"], hashOfFile(artifact)].filter(
    (hash): hash is string => typeof hash === "string" && hash !== "",
  );
  const [sha256, other = sha256] = hashes.map((hash) => hash.toLowerCase());
  if (sha256 === undefined) throw refused(`the staged module ${module} comes without SHA-256`);
  if (sha256 !== other) {
    throw refused(`the staged module ${module} names two hashes, ${sha256} and ${other}`);
  }
  return { module, sha256, artifact };
}

function parseRole(payload: Uint8Array): Record<string, unknown> {
  const text = Buffer.from(payload).toString();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw refused(`the role of a staged module must be a JSON object, got ${JSON.stringify(text)}`);
}

function hashOfFile({ typeUrn, typePayload }: ArtifactInformation): string | undefined {
  return typeUrn === FILE_TYPE ? ArtifactFilePayload.fromBinary(typePayload).sha256 : undefined;
}

/** With forward slashes, and with no way out. */
function isBelowRoot(module: string): boolean {
  return (
    !/[\\\0]/.test(module) && module.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

/** @throws WorkerStartError naming both hashes when the bytes are not those that were staged. */
export function verifyModule(staged: StagedModule, data: Uint8Array): FetchedModule {
  const sha256 = sha256Of(data);
  if (sha256 === staged.sha256) return { ...staged, data };
  throw new WorkerStartError(
    "module_hash",
    `the artifact of module ${staged.module} must have SHA-256 ${staged.sha256}, got ${sha256}`,
  );
}

/**
 * URLs to import, in the order of the modules: the worker's own file where it is the same, so that its relative
 * imports lead to the worker's own modules; else a copy below the root, from which the root's packages are found.
 * @throws WorkerStartError when the worker has the file with another content.
 */
export async function placeModules(root: string, modules: readonly FetchedModule[]): Promise<string[]> {
  const set = sha256Of(Buffer.from(modules.map(({ module, sha256 }) => `${sha256} ${module}\n`).join("")));
  const urls: string[] = [];
  for (const module of modules) {
    const own = path.join(root, module.module);
    if (!(await isSameFile(own, module))) {
      // one folder a set, so that staged modules find each other
      const copy = path.join(root, ...COPIES, set, module.module);
      await writeCopy(copy, module);
      urls.push(pathToFileURL(copy).href);
    } else urls.push(pathToFileURL(own).href);
  }
  return urls;
}

/** Below the worker's root; what is in it may be deleted when no worker runs. */
const COPIES = [".millrace", "modules"];

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

async function writeCopy(file: string, { module, sha256, data }: FetchedModule): Promise<void> {
  const there = await readIfThere(file);
  if (there !== undefined && sha256Of(there) === sha256) return;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    // other workers of the pool do the same at the same time
    const partial = `${file}.${randomUUID()}`;
    await writeFile(partial, data);
    await rename(partial, file);
  } catch (error) {
    const message = `module ${module} cannot be copied to ${file}: ${(error as Error).message}`;
    throw new WorkerStartError("module_import", message, { cause: error });
  }
}

async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new WorkerStartError("module_import", `${file} cannot be read: ${(error as Error).message}`);
  }
}

function sha256Of(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function refused(message: string): WorkerStartError {
  return new WorkerStartError("artifact_refused", message);
}
