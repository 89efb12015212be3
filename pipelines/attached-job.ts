/** A job that another process of this machine runs, reached through its monitor with the token of the state folder. */
import { setTimeout as sleep } from "node:timers/promises";
import type { JobState } from "../runners/job/job.js";
import type { JobAction, JobOverview } from "../runners/job/job-view.js";
import { readAddress, readToken } from "../runners/monitor/token-file.js";
import { UsageError } from "./usage-error.js";

/** Nobody answers, or not in a way that can be trusted. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

const ENDS: ReadonlySet<JobState> = new Set(["DONE", "DRAINED", "CANCELLED", "FAILED"]);
/** Of OpenSSL, by way of Node: a certificate that is nobody's that is known, or of another name. */
const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;
const LOOK_MS = 500;
const ANSWER_MS_MAX = 10_000;

export class AttachedJob {
  readonly #url: string;
  readonly #token: string;
  #hasAnswered = false;

  private constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** @throws UsageError when no run of the pipeline can be reached from this state folder */
  static async find(stateDir: string, pipeline: string): Promise<AttachedJob> {
    const address = await readAddress(stateDir, pipeline);
    const token = await readToken(stateDir);
    if (address !== undefined && token !== undefined) return new AttachedJob(address.url, token);
    throw new UsageError([
      `no run of pipeline "${pipeline}" can be reached by --state-dir=${stateDir}: none runs, it was started with ` +
        "another --state-dir, or with --monitor-port=0",
    ]);
  }

  async overview(): Promise<JobOverview> {
    return (await this.#call("GET", "/api/overview")) as JobOverview;
  }

  async act(action: JobAction): Promise<JobState> {
    return ((await this.#call("POST", `/api/job/${action}`)) as { state: JobState }).state;
  }

  /** What the job shows, again and again until it has ended or its process is gone, or the signal fires. */
  async *follow(signal: AbortSignal): AsyncGenerator<JobOverview, void> {
    while (!signal.aborted) {
      let overview: JobOverview;
      try {
        overview = await this.overview();
      } catch (error) {
        // it has answered before: its process is gone
        if (error instanceof NoAnswerError && this.#hasAnswered) return;
        throw error;
      }
      yield overview;
      if (ENDS.has(overview.state)) return;
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined); // the loop looks at the signal
    }
  }

  #noAnswer(error: Error): NoAnswerError {
    const cause = error.cause instanceof Error ? error.cause : error;
    const { code } = cause as NodeJS.ErrnoException;
    const hint = CERTIFICATE_CODES.test(code ?? "")
      ? "; give the certificate that it must have with NODE_EXTRA_CA_CERTS=FILE"
      : "";
    return new NoAnswerError(`the run at ${this.#url} gives no answer: ${cause.message}${hint}`, { cause });
  }

  async #call(method: "GET" | "POST", path: string): Promise<unknown> {
    const { isOk, status, body } = await this.#ask(method, path).catch((error: Error) => {
      throw this.#noAnswer(error);
    });
    this.#hasAnswered = true;
    if (!isOk) throw new Error(body.error?.message ?? `the run answered ${status}`);
    return body;
  }

  async #ask(method: "GET" | "POST", path: string) {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const body = (await response.json()) as { error?: { message: string } };
    return { isOk: response.ok, status: response.status, body };
  }
}
