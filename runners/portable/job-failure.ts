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

/** A runner that asks for a worker, and where nobody answers; in the traces of one error. */
const NO_POOL =
  /DefaultJobBundleFactory\$SimpleStageBundleFactory.*finishConnect\(\.\.\) failed: Connection refused: (?:[^\s/]*\/)?([^\s/]+)/s;

/** All that Flink tells of it: neither whom it asked, nor for what. */
const REFUSED = /^java\.net\.ConnectException: finishConnect\(\.\.\) failed: Connection refused\s*$/;

/** What a driver of Spark says, and what it means. */
const OF_SPARK: readonly (readonly [RegExp, string])[] = [
  [
    /Cannot call methods on a stopped SparkContext/,
    "Spark has ended the application under its job, as it does when it cannot start executors or has lost its " +
      "master: the logs of its master and workers say why",
  ],
  [
    /Only one SparkContext should be running in this JVM/,
    "this job server of Spark runs one job at a time, and another one still runs there (as when its client was " +
      "killed): try again when that has ended, or start the job server anew",
  ],
];

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
  const pool = errors.map((text) => NO_POOL.exec(text)?.[1]).find((address) => address !== undefined);
  if (pool !== undefined) {
    const message = `the worker pool at ${pool} is gone: the job's server asked it for a worker, and nobody answered`;
    return new JobFailedError(jobId, message, detail);
  }
  if (errors.some((text) => REFUSED.test(text))) {
    const message =
      "the server was refused a connection that the job needs (it does not say which): is the worker pool there, " +
      "and the server's cluster?";
    return new JobFailedError(jobId, message, detail);
  }
  const known = OF_SPARK.find(([pattern]) => errors.some((text) => pattern.test(text)));
  if (known !== undefined) return new JobFailedError(jobId, known[1], detail);
  const [first] = errors;
  return new JobFailedError(
    jobId,
    first === undefined ? `job "${jobId}" failed, and its server says no reason` : withCause(first),
    detail,
  );
}

/** With the innermost cause, where the error itself is only that of whoever passes it on. */
function withCause(text: string): string {
  const cause = /^Caused by: (.*)$/.exec(
    text.split("\n").findLast((line) => line.startsWith("Caused by: ")) ?? "",
  );
  const own = withoutTrace(text);
  return cause === null || own.includes(cause[1]!) ? own : `${own}: ${cause[1]}`;
}

/** Java indents its trace with a tab, Go's begins with the name of a routine; ours with spaces. */
function withoutTrace(text: string): string {
  const end = text.search(/\n(\tat |Caused by: |goroutine |\t\.\.\. )/);
  return (end < 0 ? text : text.slice(0, end)).trim();
}
