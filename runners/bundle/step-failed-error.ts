/** What a bundle fails with: the step, the method of its DoFn, and what that threw. */

import { inspect } from "node:util";

/** A DoFn threw: names the step and the method; `cause` is what it threw. */
export class StepFailedError extends Error {
  override readonly name = "StepFailedError";
  /** What `teardown` threw besides, where the failure made the host end the steps at once. */
  readonly teardownErrors: unknown[] = [];

  constructor(
    readonly step: string,
    readonly method: string,
    cause: unknown,
  ) {
    const reason =
      cause instanceof Error ? cause.message : typeof cause === "string" ? cause : inspect(cause);
    super(`step "${step}" failed in ${method}: ${reason}`, { cause });
  }

  /** The failure of a step, unless the error says already whose it is: the innermost step is the one that failed. */
  static of(step: string, method: string, error: unknown): StepFailedError {
    return error instanceof StepFailedError ? error : new StepFailedError(step, method, error);
  }
}
