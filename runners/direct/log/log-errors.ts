/** Why a commit log is not gone on with; each names the file. */

/** What was written and synced is not what is there: nothing behind it can be trusted, and nothing of it is skipped. */
export class LogDamagedError extends Error {
  override readonly name = "LogDamagedError";
  readonly code = "MILLRACE_LOG_DAMAGED";

  /** @param offset of the record, in bytes from the file's start */
  constructor(
    readonly file: string,
    readonly offset: number,
    problem: string,
  ) {
    super(
      `the commit log is damaged at byte ${offset} of ${file}: ${problem}. Nothing of it was changed: bring the file ` +
        "back from a copy of the folder, or begin in an empty one and let the sinks take what they have already",
    );
  }
}

/** The log was written by a program that this one does not know. */
export class LogFormatError extends Error {
  override readonly name = "LogFormatError";
  readonly code = "MILLRACE_LOG_FORMAT";

  constructor(
    readonly file: string,
    readonly version: number,
    known: number,
  ) {
    super(
      `${file} is a commit log of format ${version}, but this program knows format ${known}: run the program that ` +
        "wrote it, or a newer one",
    );
  }
}

/** The folder holds the log of another pipeline. */
export class LogOfOthersError extends Error {
  override readonly name = "LogOfOthersError";
  readonly code = "MILLRACE_LOG_OF_OTHERS";

  constructor(
    readonly file: string,
    readonly pipeline: string,
    asked: string,
  ) {
    super(
      `${file} is of the commit log of pipeline "${pipeline}", not of "${asked}": each pipeline needs a folder of its ` +
        "own as `commitLogDir`",
    );
  }
}
