/** A job server that cannot be installed or started: what is in the way, in one sentence. */

export type JobServerStartErrorCode =
  | "program_missing"
  | "program_version"
  | "install_failed"
  | "port_taken"
  | "did_not_start";

export class JobServerStartError extends Error {
  override readonly name = "JobServerStartError";
  readonly code: JobServerStartErrorCode;

  constructor(code: JobServerStartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
