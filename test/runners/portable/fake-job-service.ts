/** A job service that a test drives: a real gRPC server, whose jobs do what they are told to. */
import "../../../transforms/primitives/beam.js";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import {
  type CancelJobRequest,
  CancelJobResponse,
  DescribePipelineOptionsResponse,
  GetJobMetricsResponse,
  type GetJobStateRequest,
  GetJobsResponse,
  type JobMessagesRequest,
  JobMessagesResponse,
  JobService,
  JobStateEvent,
  type PrepareJobRequest,
  PrepareJobResponse,
  RunJobResponse,
} from "apache-beam/proto/beam_job_api";
import { Struct } from "apache-beam/proto/google/protobuf/struct";
import { JobState_Enum, MonitoringInfo, runnerApi } from "../../../transforms/primitives/beam.js";

const ERROR_IMPORTANCE = 5;

/** The SDK has the service's clients only. */
const jobServiceDefinition: ServiceDefinition = Object.fromEntries(
  JobService.methods.map(({ localName, name, I, O, serverStreaming, clientStreaming }) => [
    localName,
    {
      path: `/${JobService.typeName}/${name}`,
      requestStream: clientStreaming,
      responseStream: serverStreaming,
      requestSerialize: (message: object) => Buffer.from(I.toBinary(message)),
      requestDeserialize: (bytes: Uint8Array) => I.fromBinary(bytes),
      responseSerialize: (message: object) => Buffer.from(O.toBinary(message)),
      responseDeserialize: (bytes: Uint8Array) => O.fromBinary(bytes),
    },
  ]),
);

export class FakeJobService {
  /** What the stream of states tells, in this order. */
  states: JobState_Enum[] = [JobState_Enum.RUNNING, JobState_Enum.DONE];
  /** Whether the stream of states goes on after them. */
  staysOpen = false;
  /** Whether the job is unknown when its state is asked for. */
  isForgetful = false;
  /** Error messages of the job. */
  errors: string[] = [];
  /** Refuses each pipeline with these words. */
  refusal = "";
  /** Types of the pipeline options that it describes, e.g. `INTEGER`. */
  options: Record<string, string> = {};
  /** Jobs of earlier clients. */
  left: { readonly jobId: string; state: JobState_Enum; readonly options: Record<string, string> }[] = [];
  /** Whether it tells which jobs it has. */
  tellsJobs = true;
  /** Jobs of earlier clients that were cancelled, each with how many pipelines it had been given before. */
  readonly cancelled: { readonly jobId: string; readonly preparedBefore: number }[] = [];
  attempted: MonitoringInfo[] = [];
  committed: MonitoringInfo[] = [];
  readonly prepared: PrepareJobRequest[] = [];
  readonly #server = new Server();
  readonly #open = new Set<ServerWritableStream<unknown, JobStateEvent>>();
  #port = 0;

  /** On any free port, unless one is named. */
  static async start(port = 0): Promise<FakeJobService> {
    const service = new FakeJobService();
    service.#addService();
    service.#port = await new Promise<number>((resolve, reject) => {
      service.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return service;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  /** The last state of each stream that is open still. */
  tell(state: JobState_Enum): void {
    for (const call of this.#open) {
      call.write(JobStateEvent.create({ state }));
      call.end();
    }
  }

  counter(NAME: string, PTRANSFORM: string, value: number): MonitoringInfo {
    return MonitoringInfo.create({
      urn: "beam:metric:user:sum_int64:v1",
      type: "beam:metrics:sum_int64:v1",
      labels: { NAME, PTRANSFORM },
      payload: Uint8Array.of(value),
    });
  }

  optionsOf({ pipelineOptions }: PrepareJobRequest): Record<string, unknown> {
    return Struct.toJson(pipelineOptions!) as Record<string, unknown>;
  }

  /** URN and endpoint of each. */
  environmentsOf({ pipeline }: PrepareJobRequest): [string, string][] {
    return Object.values(pipeline!.components!.environments).map(({ urn, payload }) => [
      urn,
      runnerApi.ExternalPayload.fromBinary(payload).endpoint!.url,
    ]);
  }

  #addService(): void {
    this.#server.addService(jobServiceDefinition, {
      prepare: (
        call: ServerUnaryCall<PrepareJobRequest, PrepareJobResponse>,
        done: Done<PrepareJobResponse>,
      ) => {
        this.prepared.push(call.request);
        if (this.refusal) done({ code: status.INVALID_ARGUMENT, details: this.refusal });
        else done(null, PrepareJobResponse.create({ preparationId: "prepared" }));
      },
      describePipelineOptions: (_: unknown, done: Done<DescribePipelineOptionsResponse>) => {
        const options = Object.entries(this.options).map(([name, type]) => ({ name, type }));
        done(null, DescribePipelineOptionsResponse.fromJson({ options }));
      },
      run: (_: unknown, done: Done<RunJobResponse>) => done(null, RunJobResponse.create({ jobId: "job-1" })),
      getJobs: (_: unknown, done: Done<GetJobsResponse>) => {
        if (!this.tellsJobs) return done({ code: status.UNIMPLEMENTED, details: "not here" });
        const jobInfo = this.left.map(({ jobId, state, options }) => ({
          ...{ jobId, state, jobName: "" },
          pipelineOptions: Struct.fromJson(options),
        }));
        done(null, GetJobsResponse.create({ jobInfo }));
      },
      getState: ({ request }: ServerUnaryCall<GetJobStateRequest, unknown>, done: Done<JobStateEvent>) => {
        const left = this.left.find(({ jobId }) => jobId === request.jobId);
        if (left !== undefined) done(null, JobStateEvent.create({ state: left.state }));
        else if (this.isForgetful) done({ code: status.NOT_FOUND, details: "no such job" });
        else done(null, JobStateEvent.create({ state: this.states.at(-1)! }));
      },
      cancel: ({ request }: ServerUnaryCall<CancelJobRequest, unknown>, done: Done<CancelJobResponse>) => {
        const left = this.left.find(({ jobId }) => jobId === request.jobId);
        if (left !== undefined) {
          left.state = JobState_Enum.CANCELLED;
          this.cancelled.push({ jobId: left.jobId, preparedBefore: this.prepared.length });
          return done(null, CancelJobResponse.create({ state: JobState_Enum.CANCELLING }));
        }
        this.tell(JobState_Enum.CANCELLED);
        done(null, CancelJobResponse.create({ state: JobState_Enum.CANCELLING }));
      },
      getStateStream: (call: ServerWritableStream<unknown, JobStateEvent>) => {
        for (const state of this.states) call.write(JobStateEvent.create({ state }));
        if (this.staysOpen) this.#open.add(call);
        else call.end();
      },
      getMessageStream: (call: ServerWritableStream<JobMessagesRequest, JobMessagesResponse>) => {
        for (const messageText of this.errors) {
          const messageResponse = { messageId: "", time: "", importance: ERROR_IMPORTANCE, messageText };
          call.write(
            JobMessagesResponse.create({ response: { oneofKind: "messageResponse", messageResponse } }),
          );
        }
        call.end();
      },
      getJobMetrics: (_: unknown, done: Done<GetJobMetricsResponse>) => {
        const { attempted, committed } = this;
        done(null, GetJobMetricsResponse.create({ metrics: { attempted, committed } }));
      },
    });
  }
}

type Done<Answer> = sendUnaryData<Answer>;
