/** What the person at the command line has to put right: exit code 2, one line a problem. */

export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";

  /** Each problem names the thing, the rule and the value, and ends with a suggestion where there is one. */
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
