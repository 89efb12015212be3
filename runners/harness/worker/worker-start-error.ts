/** A worker that cannot start: what is in the way, in one sentence. */

export type WorkerStartErrorCode =
  | "endpoint_missing"
  | "endpoint_unreachable"
  | "artifact_refused"
  | "module_hash"
  | "module_import";

export class WorkerStartError extends Error {
  override readonly name = "WorkerStartError";
  readonly code: WorkerStartErrorCode;

  constructor(code: WorkerStartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
