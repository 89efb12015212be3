/** What can go wrong with the embedded PostgreSQL, by code. */

export type EmbeddedPostgresErrorCode =
  /** No programs for this platform, or their package is not installed. */
  | "programs_missing"
  /** A path that PostgreSQL's own programs would hand to a shell unquoted. */
  | "path_unusable"
  /** The state folder cannot be written, or belongs to somebody else. */
  | "state_folder_unusable"
  /** server.json is not what we wrote, or is the copy of another state folder's. */
  | "state_invalid"
  /** The pgpass file is gone while the data are still there. */
  | "password_lost"
  /** The data were made by another major version. */
  | "wrong_major"
  /** The data folder is not one, or belongs to an account the server must not run as. */
  | "data_folder_unusable"
  /** No account for the server, or no folder that it can reach. */
  | "account_unusable"
  /** There is no embedded database yet. */
  | "not_created"
  | "init_failed"
  | "start_failed"
  | "stop_failed"
  /** Another command held the lock of the state folder for too long. */
  | "lock_timeout"
  /** The caller's signal ended the wait. */
  | "aborted";

/** Says the thing, the rule and the value; `code` is for programs. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";

  constructor(
    readonly code: EmbeddedPostgresErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The `code` of a system or database error ("ENOENT", "3D000"), if it has one. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** For `catch`: passes over an error with this code and throws every other. */
export function unless(code: string): (error: unknown) => undefined {
  return (error) => {
    if (codeOf(error) !== code) throw error;
    return undefined;
  };
}
