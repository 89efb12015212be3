/** A job server's service as promises and async iterables; what fails says which server and what of it. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../transforms/primitives/beam.js";
import { type ClientReadableStream, credentials, type ServiceError, status } from "@grpc/grpc-js";
import {
  type DescribePipelineOptionsResponse,
  type GetJobMetricsResponse,
  type GetJobsResponse,
  type JobInfo,
  type JobMessagesResponse,
  JobState_Enum,
  type JobStateEvent,
  type PipelineOptionType_Enum,
  type PrepareJobRequest,
  type PrepareJobResponse,
  type RunJobResponse,
} from "apache-beam/proto/beam_job_api";
import { JobServiceClient } from "apache-beam/proto/beam_job_api.grpc-client";
import { reach } from "./reach.js";

/** STOPPED is none of them: with it Java's job servers begin. */
const TERMINAL: ReadonlySet<JobState_Enum> = new Set([
  JobState_Enum.DONE,
  JobState_Enum.FAILED,
  JobState_Enum.CANCELLED,
  JobState_Enum.DRAINED,
  JobState_Enum.UPDATED,
]);

/** Whether no other state comes after this one. */
export function isTerminal(state: JobState_Enum): boolean {
  return TERMINAL.has(state);
}

/** How long a server may take to end a job after it was cancelled. */
export const CANCEL_MS_MAX = 60_000;

/** How long a server may take to be reached. */
const REACH_MS_MAX = 15_000;

const OPTIONS = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // a server that has just been started is tried again soon
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

/** A call to a job server failed, or the server is gone. */
export class JobServerError extends Error {
  override readonly name = "JobServerError";

  constructor(
    readonly endpoint: string,
    /** gRPC's name of the status, e.g. `UNAVAILABLE`, `NOT_FOUND`. */
    readonly status: string,
    message: string,
  ) {
    super(`job server ${endpoint}: ${message}`);
  }
}

export class JobService {
  readonly #client: JobServiceClient;

  constructor(readonly endpoint: string) {
    this.#client = new JobServiceClient(endpoint, credentials.createInsecure(), OPTIONS);
  }

  /** @throws JobServerError when nobody answers there. */
  async reach(msMax = REACH_MS_MAX): Promise<void> {
    if (await reach(this.#client, msMax)) return;
    throw new JobServerError(this.endpoint, "UNAVAILABLE", `nobody answers (waited ${msMax / 1000} s)`);
  }

  /** Types of its pipeline options by name; none of a server that describes none. */
  async options(): Promise<ReadonlyMap<string, PipelineOptionType_Enum>> {
    const { options } = await this.#call<DescribePipelineOptionsResponse>(
      "did not describe its options",
      (done) => this.#client.describePipelineOptions({}, done),
    );
    return new Map(options.map(({ name, type }) => [name, type]));
  }

  prepare(request: PrepareJobRequest): Promise<PrepareJobResponse> {
    return this.#call("refused the pipeline", (done) => this.#client.prepare(request, done));
  }

  run(preparationId: string, retrievalToken: string): Promise<RunJobResponse> {
    return this.#call("did not start the job", (done) =>
      this.#client.run({ preparationId, retrievalToken }, done),
    );
  }

  async state(jobId: string): Promise<JobState_Enum> {
    const event = await this.#call<JobStateEvent>(`gave no state of job "${jobId}"`, (done) =>
      this.#client.getState({ jobId }, done),
    );
    return event.state;
  }

  /** All that it has taken since its start. */
  async jobs(): Promise<readonly JobInfo[]> {
    const { jobInfo } = await this.#call<GetJobsResponse>("did not tell its jobs", (done) =>
      this.#client.getJobs({}, done),
    );
    return jobInfo;
  }

  async cancel(jobId: string): Promise<JobState_Enum> {
    const answer = await this.#call<{ state: JobState_Enum }>(`did not cancel job "${jobId}"`, (done) =>
      this.#client.cancel({ jobId }, done),
    );
    return answer.state;
  }

  metrics(jobId: string): Promise<GetJobMetricsResponse> {
    return this.#call(`gave no metrics of job "${jobId}"`, (done) =>
      this.#client.getJobMetrics({ jobId }, done),
    );
  }

  /** Ends with the server's stream. @throws JobServerError when it is lost. */
  states(jobId: string): AsyncIterable<JobStateEvent> {
    return this.#stream(`lost the states of job "${jobId}"`, () => this.#client.getStateStream({ jobId }));
  }

  /** Ends with the server's stream. @throws JobServerError when it is lost. */
  messages(jobId: string): AsyncIterable<JobMessagesResponse> {
    return this.#stream(`lost the messages of job "${jobId}"`, () =>
      this.#client.getMessageStream({ jobId }),
    );
  }

  close(): void {
    this.#client.close();
  }

  #call<Answer>(
    what: string,
    call: (done: (error: ServiceError | null, answer?: Answer) => void) => unknown,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      call((error, answer) => {
        if (error === null) resolve(answer!);
        else reject(this.#failed(what, error));
      });
    });
  }

  async *#stream<Message>(
    what: string,
    open: () => ClientReadableStream<Message>,
  ): AsyncGenerator<Message, void> {
    const stream = open();
    try {
      for await (const message of stream) yield message as Message;
    } catch (error) {
      throw this.#failed(what, error as ServiceError);
    } finally {
      stream.cancel();
    }
  }

  #failed(what: string, { code, details, message }: ServiceError): JobServerError {
    const name = status[code] ?? `${code}`;
    return new JobServerError(this.endpoint, name, `it ${what}: ${name}: ${details || message}`);
  }
}
