/** Why a job on a job server failed: the user's own error, taken out of what the server says of it. */

/** A job that a job server says has FAILED. */
export class JobFailedError extends Error {
  override readonly name = "JobFailedError";

  constructor(
    readonly jobId: string,
    /** What the worker said, with the stack of the user's own code; or the server's message. */
    reason: string,
    /** All that the server said of it. */
    readonly detail: string,
  ) {
    super(reason);
  }
}

/** What Java's job servers write before the worker's words, and what Prism does. */
const FROM_WORKER = /Error received from SDK harness for instruction [^:]+: |^bundle \S+ \S+ failed:\s*/m;

/** What gRPC for Java says in a runner whose worker's streams have ended. */
const WORKER_GONE = /StatusRuntimeException: CANCELLED: client cancelled/;

/** From the server's error messages; the worker's own words without the traces of the server's language around them. */
export function jobFailure(jobId: string, errors: readonly string[]): JobFailedError {
  const detail = errors.join("\n");
  for (const text of errors) {
    const found = FROM_WORKER.exec(text);
    if (found === null) continue;
    const rest = text.slice(found.index + found[0].length);
    return new JobFailedError(jobId, withoutTrace(rest), detail);
  }
  const lost = errors.find((text) => WORKER_GONE.test(text));
  if (lost !== undefined) {
    const message = `a worker was lost, its process or its connection: ${withoutTrace(lost)}`;
    return new JobFailedError(jobId, message, detail);
  }
  const [first] = errors;
  return new JobFailedError(
    jobId,
    first === undefined ? `job "${jobId}" failed, and its server says no reason` : withoutTrace(first),
    detail,
  );
}

/** Java indents its trace with a tab, Go's begins with the name of a routine; ours with spaces. */
function withoutTrace(text: string): string {
  const end = text.search(/\n(\tat |Caused by: |goroutine |\t\.\.\. )/);
  return (end < 0 ? text : text.slice(0, end)).trim();
}
