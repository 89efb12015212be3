/** What Beam's job service cannot ask of a Flink cluster, asked of Flink's own REST API: savepoints, and drain. */
import { setTimeout as sleep } from "node:timers/promises";

/** Flink's REST API refused something, or cannot be reached. */
export class FlinkRestError extends Error {
  override readonly name = "FlinkRestError";

  constructor(
    readonly endpoint: string,
    message: string,
  ) {
    super(`Flink's REST API at ${endpoint}: ${message}`);
  }
}

/** A savepoint that Flink is writing. */
export interface SavepointTrigger {
  readonly endpoint: string;
  readonly jobId: string;
  readonly requestId: string;
}

const CALL_MS_MAX = 10_000;
const POLL_MS = 200;

/** Names of jobs that a cluster knows are those under which they were submitted. */
export class FlinkRest {
  /** `host:port`, or `host:first-last` where each job has a port of its own. */
  constructor(readonly address: string) {
    endpointsOf(address);
  }

  /** Begins to write a savepoint; the job goes on. */
  async savepoint(jobName: string, directory: string): Promise<SavepointTrigger> {
    return this.#trigger(jobName, "savepoints", { "target-directory": directory, "cancel-job": false });
  }

  /**
   * Begins to end the job: its sources stop, the watermark goes to its end, so timers and windows fire, and what is
   * left goes into a savepoint.
   */
  async drain(jobName: string, directory: string | undefined): Promise<SavepointTrigger> {
    return this.#trigger(jobName, "stop", { drain: true, ...(directory && { targetDirectory: directory }) });
  }

  /** Ends the job at once. */
  async cancel(jobName: string): Promise<void> {
    const { endpoint, jobId } = await this.#find(jobName);
    await call(endpoint, `/jobs/${jobId}?mode=cancel`, undefined, "PATCH");
  }

  /** Ends the jobs of that name that have not ended, running or not; whether there were any. */
  async cancelLeft(jobName: string): Promise<boolean> {
    const left = (await this.#jobs()).filter(({ name, state }) => name === jobName && !ENDED.has(state));
    for (const { endpoint, jid } of left) {
      await call(endpoint, `/jobs/${jid}?mode=cancel`, undefined, "PATCH");
    }
    return left.length > 0;
  }

  /** Where the savepoint lies, once it is written. @throws FlinkRestError when it could not be written */
  async whenWritten({ endpoint, jobId, requestId }: SavepointTrigger): Promise<string> {
    for (;;) {
      const { status, operation } = await call<SavepointStatus>(
        endpoint,
        `/jobs/${jobId}/savepoints/${requestId}`,
      );
      if (status.id === "COMPLETED") {
        const failure = operation?.["failure-cause"]?.["stack-trace"];
        if (failure === undefined) return operation?.location ?? "";
        throw new FlinkRestError(endpoint, `the savepoint failed: ${lastCause(failure)}`);
      }
      await sleep(POLL_MS);
    }
  }

  async #trigger(jobName: string, what: string, body: object): Promise<SavepointTrigger> {
    const { endpoint, jobId } = await this.#find(jobName);
    const answer = await call<{ "request-id": string }>(endpoint, `/jobs/${jobId}/${what}`, body);
    return { endpoint, jobId, requestId: answer["request-id"] };
  }

  async #find(jobName: string): Promise<{ readonly endpoint: string; readonly jobId: string }> {
    const found = (await this.#jobs()).find(({ name, state }) => name === jobName && state === "RUNNING");
    if (found !== undefined) return { endpoint: found.endpoint, jobId: found.jid };
    throw new FlinkRestError(this.address, `it runs no job named "${jobName}"`);
  }

  /** Of all that answer. @throws FlinkRestError when none does */
  async #jobs(): Promise<(JobsOverview["jobs"][number] & { readonly endpoint: string })[]> {
    const endpoints = endpointsOf(this.address);
    const overviews = await Promise.allSettled(
      endpoints.map((endpoint) => call<JobsOverview>(endpoint, "/jobs/overview")),
    );
    const failed = overviews.find(({ status }) => status === "rejected");
    if (failed !== undefined && overviews.every(({ status }) => status === "rejected")) {
      throw (failed as PromiseRejectedResult).reason;
    }
    return overviews.flatMap((overview, i) =>
      overview.status === "rejected"
        ? []
        : overview.value.jobs.map((job) => ({ ...job, endpoint: endpoints[i]! })),
    );
  }
}

/** Flink's states from which a job does not come back. */
const ENDED: ReadonlySet<string> = new Set(["FINISHED", "CANCELED", "FAILED"]);

interface JobsOverview {
  readonly jobs: readonly { readonly jid: string; readonly name: string; readonly state: string }[];
}

interface SavepointStatus {
  readonly status: { readonly id: "IN_PROGRESS" | "COMPLETED" };
  readonly operation?: {
    readonly location?: string;
    readonly "failure-cause"?: { readonly "stack-trace": string };
  };
}

function endpointsOf(address: string): string[] {
  const parts = /^(.+):(\d+)(?:-(\d+))?$/.exec(address);
  if (parts === null) {
    throw new Error(`flinkRest must be host:port or host:first-last, got ${JSON.stringify(address)}`);
  }
  const first = Number(parts[2]);
  const last = Number(parts[3] ?? first);
  return Array.from({ length: last - first + 1 }, (_, i) => `${parts[1]}:${first + i}`);
}

/** Behind the port of a job server that Millrace starts: its Flink's REST API, of each job that runs at a time. */
export function restPortsBehind(port: number): string {
  const first = Math.min(port + 1, PORT_MAX - JOBS_MAX + 1);
  return `${first}-${first + JOBS_MAX - 1}`;
}

const JOBS_MAX = 16;
const PORT_MAX = 65_535;

async function call<Answer>(endpoint: string, path: string, body?: object, method?: string): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`http://${endpoint}${path}`, {
      signal: AbortSignal.timeout(CALL_MS_MAX),
      ...(method && { method }),
      ...(body && {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    });
  } catch (error) {
    const cause = (error as Error).cause ?? error;
    throw new FlinkRestError(endpoint, `cannot be reached: ${(cause as Error).message}`);
  }
  const text = await response.text();
  if (!response.ok) throw new FlinkRestError(endpoint, `${response.status} for ${path}: ${reasonIn(text)}`);
  return JSON.parse(text || "{}") as Answer;
}

/** Flink answers with a list of errors, traces among them. */
function reasonIn(text: string): string {
  try {
    const { errors = [] } = JSON.parse(text) as { readonly errors?: readonly string[] };
    return lastCause(errors.at(-1) ?? text);
  } catch {
    return text.split("\n", 1)[0]!;
  }
}

function lastCause(trace: string): string {
  const causes = trace.split("\n").filter((line) => line.startsWith("Caused by: "));
  return (causes.at(-1) ?? trace.split("\n").find((line) => !line.startsWith("<")) ?? trace).replace(
    "Caused by: ",
    "",
  );
}
