/** The modules among a job's artifacts: which they are, and whether what was fetched is what was staged. */
import { createHash } from "node:crypto";
import { decodeModuleRole, MODULE_FILE_ROLE, MODULE_ROLE, type ModuleRole } from "./module-role.js";
import { ArtifactFilePayload, type ArtifactInformation } from "./worker-grpc.js";
import { WorkerStartError } from "./worker-start-error.js";

const FILE_TYPE = "beam:artifact:type:file:v1";

export interface StagedModule extends ModuleRole {
  /** Whether the worker imports it, or only puts it where others import it. */
  readonly isImported: boolean;
  readonly artifact: ArtifactInformation;
}

/** The modules among a job's artifacts, in their order. @throws WorkerStartError for one that is not understood. */
export function stagedModules(dependencies: readonly ArtifactInformation[]): StagedModule[] {
  const roles = [MODULE_ROLE, MODULE_FILE_ROLE];
  return dependencies.filter(({ roleUrn }) => roles.includes(roleUrn)).map(readModule);
}

function readModule(artifact: ArtifactInformation): StagedModule {
  const { module, package: name, sha256: hash } = readRole(artifact.rolePayload);
  if (typeof module !== "string" || !isBelowRoot(module)) {
    throw refused(`a staged module must name a path below its package, got ${JSON.stringify(module)}`);
  }
  if (name !== undefined && typeof name !== "string") {
    throw refused(`the package of the staged module ${module} must be a name, got ${JSON.stringify(name)}`);
  }
  // Java's job servers keep the file and forget its hash: then the one of the role counts
  const hashes = [hash, hashOfFile(artifact)].filter(
    (one): one is string => typeof one === "string" && one !== "",
  );
  const [sha256, other = sha256] = hashes.map((one) => one.toLowerCase());
  if (sha256 === undefined) throw refused(`the staged module ${module} comes without SHA-256`);
  if (sha256 !== other) {
    throw refused(`the staged module ${module} names two hashes, ${sha256} and ${other}`);
  }
  return { module, package: name, sha256, isImported: artifact.roleUrn === MODULE_ROLE, artifact };
}

function readRole(payload: Uint8Array): Partial<Record<keyof ModuleRole, unknown>> {
  try {
    const role = decodeModuleRole(payload);
    if (role !== undefined) return role;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const text = JSON.stringify(Buffer.from(payload).toString());
  throw refused(`the role of a staged module must be a JSON object, got ${text}`);
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
export function verifyModule({ module, sha256 }: ModuleRole, data: Uint8Array): Uint8Array {
  const actual = sha256Of(data);
  if (actual === sha256) return data;
  throw new WorkerStartError(
    "module_hash",
    `the artifact of module ${module} must have SHA-256 ${sha256}, got ${actual}`,
  );
}

export function sha256Of(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function refused(message: string): WorkerStartError {
  return new WorkerStartError("artifact_refused", message);
}
