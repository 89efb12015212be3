/** How the pipeline's modules travel: as artifacts, whose role says what they are and where they belong. */

/** A module that workers import. */
export const MODULE_ROLE = "millrace:artifact:role:module:v1";
/** A file that such modules import, and that workers put beside them. */
export const MODULE_FILE_ROLE = "millrace:artifact:role:module_file:v1";

/** What the role's payload says, as JSON. */
export interface ModuleRole {
  /** Path below the root of the package that stages it, with forward slashes, e.g. `dist/pipelines/visits.js`. */
  readonly module: string;
  /** Of its content: hexadecimal, in lower case. */
  readonly sha256: string;
  /** Name of that package; absent when it has none. */
  readonly package?: string | undefined;
}

/** What one file may be long: it is code. */
export const MODULE_BYTES_MAX = 64 * 1024 * 1024;

export function encodeModuleRole({ module, sha256, package: name }: ModuleRole): Uint8Array {
  return Buffer.from(JSON.stringify({ module, sha256, package: name }));
}

/** What the payload holds, whatever that is. @throws SyntaxError when it is not JSON */
export function decodeModuleRole(
  payload: Uint8Array,
): Partial<Record<keyof ModuleRole, unknown>> | undefined {
  const parsed: unknown = JSON.parse(Buffer.from(payload).toString());
  return typeof parsed === "object" && parsed !== null ? parsed : undefined;
}
