/** The Job API client against a job service in this process, over real gRPC. */
import { readFileSync } from "node:fs";
import { Client, credentials } from "@grpc/grpc-js";
import { StartWorkerRequest } from "apache-beam/proto/beam_fn_api";
import { beamFnExternalWorkerPoolDefinition } from "apache-beam/proto/beam_fn_api.grpc-server";
import { expect } from "chai";
import { createRunner } from "../../../runners/create-runner.js";
import type { RunningWorker, WorkerEnd } from "../../../runners/harness/worker/running-worker.js";
import { sha256Of, stagedModules } from "../../../runners/harness/worker/staged-modules.js";
import { serveWorkerPool, type WorkerPool } from "../../../runners/harness/worker/worker-pool.js";
import { JobFailedError } from "../../../runners/portable/job-failure.js";
import { JobServerError } from "../../../runners/portable/job-service.js";
import { ModuleFilesError } from "../../../runners/portable/modules/module-files.js";
import { portableRunner } from "../../../runners/portable/portable-runner.js";
import {
  impulse,
  JobState_Enum,
  P,
  type Root,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { listLog } from "../../pipelines/fake-job.js";
import { COUNTING, FAN_OUT } from "../../portable/torture-fns.js";
import { FakeJobService } from "./fake-job-service.js";

const graph = (root: Root) =>
  P(root.apply(withName("Impulse", impulse()))).apply(
    withName("Fan", registeredParDo(FAN_OUT, { count: 1, bytes: 10 })),
  );

async function rejected(promise: Promise<unknown>): Promise<Error> {
  const nothing = Symbol("nothing");
  const error = await promise.then(
    () => nothing,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(Error);
  return error as Error;
}

describe("the portable runner", () => {
  let server: FakeJobService;

  beforeEach(async () => {
    server = await FakeJobService.start();
  });
  afterEach(() => server.stop());

  it("refuses an option it does not know, and an environment without its endpoint", () => {
    expect(() => portableRunner({ jobEndpoint: "localhost:1", paralelism: 2 } as never)).to.throw(
      /unknown options of the portable runner: paralelism/,
    );
    expect(() => portableRunner({ jobEndpoint: "" })).to.throw(/needs a `jobEndpoint`/);
    expect(() => portableRunner({ jobEndpoint: "localhost:1", environment: "external" })).to.throw(
      /needs a `workerEndpoint`/,
    );
    const refused: readonly [options: object, message: string][] = [
      [{ environment: "cloud" }, '`environment` must be one of loopback, external, docker, got "cloud"'],
      [{ image: "mine" }, "`image` is for the environment `docker`, not for `loopback`"],
      [
        { environment: "docker", workerEndpoint: "localhost:2" },
        "`workerEndpoint` is for the environment `external`, not for `docker`",
      ],
      [{ environment: "docker", image: "" }, "`image` must name a container image, got an empty text"],
    ];
    for (const [options, message] of refused) {
      expect(() => portableRunner({ jobEndpoint: "localhost:1", ...options })).to.throw(message);
    }
  });

  it("submits the graph in an environment of a container image, with the modules as artifacts", async () => {
    const fns = new URL("../../portable/torture-fns.js", import.meta.url);
    for (const image of [undefined, "registry.example/worker:2"]) {
      const runner = createRunner({
        ...{ runner: "prism", jobEndpoint: server.endpoint, environment: "docker", modules: [fns] },
        ...(image && { image }),
      });
      await runner.run(graph);
      const { environments } = server.prepared.at(-1)!.pipeline!.components!;
      for (const { urn, payload, capabilities, dependencies } of Object.values(environments)) {
        expect(urn).to.equal("beam:env:docker:v1");
        expect(runnerApi.DockerPayload.fromBinary(payload).containerImage).to.equal(
          image ?? "millrace-worker",
        );
        expect(capabilities).to.include("beam:coder:kv:v1");
        const [imported, ...others] = stagedModules(dependencies);
        expect(imported).to.include({ module: "dist/test/portable/torture-fns.js", isImported: true });
        expect(imported).to.include({ package: "millrace", sha256: sha256Of(readFileSync(fns)) });
        expect(others.map(({ module }) => module)).to.include("dist/transforms/primitives/fn-registry.js");
        expect(others.map(({ isImported }) => isImported)).to.not.include(true);
      }
    }
  });

  it("says before it submits that a module cannot travel", async () => {
    const modules = ["no/such/module.js"];
    const runner = portableRunner({ jobEndpoint: server.endpoint, environment: "docker", modules });
    const error = await rejected(runner.run(graph));
    expect(error).to.be.instanceOf(ModuleFilesError);
    expect(error.message).to.match(/^module \S+no\/such\/module.js cannot be read: ENOENT/);
    expect(server.prepared).to.deep.equal([]);
  });

  it("submits the graph in an environment of the worker pool, with the options by Beam's names", async () => {
    server.states = [JobState_Enum.DONE];
    const runner = portableRunner({
      jobEndpoint: server.endpoint,
      environment: "external",
      workerEndpoint: "workers:50000",
      jobName: "one",
      pipelineOptions: { parallelism: 3 },
    });
    await runner.run(graph);
    const [request] = server.prepared;
    expect(request!.jobName).to.equal("one");
    expect(server.optionsOf(request!)).to.deep.include({
      "beam:option:job_name:v1": "one",
      "beam:option:parallelism:v1": 3,
    });
    expect(server.environmentsOf(request!)).to.deep.equal([["beam:env:external:v1", "workers:50000"]]);
  });

  it("follows a job that begins STOPPED to its real end", async () => {
    server.states = [
      JobState_Enum.STOPPED,
      JobState_Enum.STARTING,
      JobState_Enum.RUNNING,
      JobState_Enum.DONE,
    ];
    const result = await portableRunner({ jobEndpoint: server.endpoint }).runAsync(graph);
    expect(await result.waitUntilFinish()).to.equal(JobState_Enum.DONE);
    expect(result.failure).to.equal(undefined);
  });

  it("tells committed counters where there are any, else attempted ones", async () => {
    server.attempted = [server.counter("seen", "a", 5)];
    const attempted = await portableRunner({ jobEndpoint: server.endpoint }).run(graph);
    expect(await attempted.counters()).to.deep.equal({ seen: 5 });
    server.committed = [server.counter("seen", "a", 7), server.counter("seen", "b", 2)];
    const committed = await portableRunner({ jobEndpoint: server.endpoint }).run(graph);
    expect(await committed.counters()).to.deep.equal({ seen: 9 });
  });

  it("throws the user's own message and stack for a job that failed, without the server's traces", async () => {
    server.states = [JobState_Enum.RUNNING, JobState_Enum.FAILED];
    server.errors = [
      'java.util.concurrent.ExecutionException: Error received from SDK harness for instruction 3: step "A" failed\n' +
        "RangeError: too far\n    at Object.process (fns.js:1:2)\n\tat org.apache.beam.Some.call(Some.java:1)\nCaused by: x",
    ];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error).to.be.instanceOf(JobFailedError);
    expect(error.message).to.equal(
      'step "A" failed\nRangeError: too far\n    at Object.process (fns.js:1:2)',
    );
    expect((error as JobFailedError).detail).to.include("Some.java");
  });

  it("takes the worker's words out of Prism's", async () => {
    server.states = [JobState_Enum.FAILED];
    server.errors = [
      'bundle inst001 stage-001 failed:step "A" failed\nRangeError: too far\n    at f (fns.js:1:2)',
    ];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.equal('step "A" failed\nRangeError: too far\n    at f (fns.js:1:2)');
  });

  it("names the worker pool that a runner has not reached", async () => {
    server.states = [JobState_Enum.FAILED];
    server.errors = [
      "org.apache.spark.SparkException: Job aborted due to stage failure: Lost task 0.3 in stage 2.0: " +
        "io.grpc.StatusRuntimeException: UNAVAILABLE: io exception\n" +
        "\tat org.apache.beam.runners.fnexecution.control.DefaultJobBundleFactory$SimpleStageBundleFactory.<init>(D.java:1)\n" +
        "Caused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: finishConnect(..) failed: Connection refused: localhost/127.0.0.1:50000\n" +
        "Caused by: java.net.ConnectException: finishConnect(..) failed: Connection refused\n",
    ];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.equal(
      "the worker pool at 127.0.0.1:50000 is gone: the job's server asked it for a worker, and nobody answered",
    );
  });

  it("asks for pool and cluster where Flink tells of a refused connection alone", async () => {
    server.states = [JobState_Enum.FAILED];
    server.errors = ["java.net.ConnectException: finishConnect(..) failed: Connection refused"];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.equal(
      "the server was refused a connection that the job needs (it does not say which): is the worker pool there, " +
        "and the server's cluster?",
    );
  });

  it("tells the innermost cause of an error that is only passed on", async () => {
    server.states = [JobState_Enum.FAILED];
    server.errors = [
      "org.apache.flink.runtime.JobException: Recovery is suppressed\n\tat a.B.c(D.java:1)\n" +
        "Caused by: x.Wrapped: y\n\tat a.B.d(D.java:2)\nCaused by: java.io.IOException: disk is full\n\tat a.B.e(D.java:3)\n",
    ];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.equal(
      "org.apache.flink.runtime.JobException: Recovery is suppressed: java.io.IOException: disk is full",
    );
  });

  it("says that Spark ended the application, whose driver says only that it is stopped", async () => {
    server.states = [JobState_Enum.FAILED];
    server.errors = [
      "java.lang.IllegalStateException: Cannot call methods on a stopped SparkContext.\n" +
        "This stopped SparkContext was created at:\n\norg.apache.spark.api.java.JavaSparkContext.<init>(…)\n",
    ];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.equal(
      "Spark has ended the application under its job, as it does when it cannot start executors or has lost its " +
        "master: the logs of its master and workers say why",
    );
  });

  it("says that a job server of Spark is taken, which tells only of its SparkContext", async () => {
    server.states = [JobState_Enum.FAILED];
    server.errors = [
      "org.apache.spark.SparkException: Only one SparkContext should be running in this JVM (see SPARK-2243)." +
        "The currently running SparkContext was created at:\norg.apache.spark.api.java.JavaSparkContext.<init>(…)\n",
    ];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.equal(
      "this job server of Spark runs one job at a time, and another one still runs there (as when its client was " +
        "killed): try again when that has ended, or start the job server anew",
    );
  });

  it("says that a job failed even when its server gives no reason", async () => {
    server.states = [JobState_Enum.FAILED];
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.equal('job "job-1" failed, and its server says no reason');
  });

  it("cancels, and tells the state that the server reached", async () => {
    server.states = [JobState_Enum.RUNNING];
    server.staysOpen = true;
    const result = await portableRunner({ jobEndpoint: server.endpoint }).runAsync(graph);
    expect(await result.waitUntilFinish(50)).to.be.oneOf([JobState_Enum.STARTING, JobState_Enum.RUNNING]);
    expect(await result.cancel()).to.equal(JobState_Enum.CANCELLED);
  });

  it("ends in one clear error when the server goes away", async () => {
    server.states = [JobState_Enum.RUNNING];
    server.staysOpen = true;
    const result = await portableRunner({ jobEndpoint: server.endpoint }).runAsync(graph);
    const ended = rejected(result.waitUntilFinish());
    await result.waitUntilFinish(50);
    server.stop();
    const error = await ended;
    expect(error).to.be.instanceOf(JobServerError);
    expect(error.message).to.match(/^job server 127\.0\.0\.1:\d+: it lost the states of job "job-1"/);
    expect(result.failure).to.equal(error);
  });

  it("asks for the state when the stream ends early, and tells that the job is not known any more", async () => {
    server.states = [JobState_Enum.RUNNING];
    server.isForgetful = true;
    const result = await portableRunner({ jobEndpoint: server.endpoint }).runAsync(graph);
    const error = (await rejected(result.waitUntilFinish())) as JobServerError;
    expect(error.status).to.equal("NOT_FOUND");
    expect(error.message).to.include('gave no state of job "job-1"');
  });

  it("tells a server's refusal of the pipeline", async () => {
    server.refusal = "no such coder";
    const error = await rejected(portableRunner({ jobEndpoint: server.endpoint }).run(graph));
    expect(error.message).to.match(/it refused the pipeline: INVALID_ARGUMENT: no such coder$/);
  });

  it("refuses options that the server does not describe, and graphs that it cannot run, before it submits", async () => {
    server.options = { spark_master: "STRING", sdk_worker_parallelism: "INTEGER" };
    const { endpoint: jobEndpoint } = server;
    const wrong = portableRunner({
      jobEndpoint,
      pipelineOptions: { sdkWorkerParalelism: 2, spark_master: [] },
    });
    expect((await rejected(wrong.run(graph))).message.split("\n")).to.deep.equal([
      'the job server has no pipeline option "sdkWorkerParalelism". Did you mean "sdk_worker_parallelism"?',
      "pipeline option spark_master must be a text, got []",
    ]);
    const unbounded = (root: Root) =>
      P(root.apply(withName("Impulse", impulse()))).apply(
        withName("Count", splittableParDo(COUNTING, { end: 1, perCall: 1, delayMs: 0 }, { bounded: false })),
      );
    expect((await rejected(portableRunner({ jobEndpoint }).run(unbounded))).message).to.equal(
      "the Spark runner cannot run this pipeline, it lacks:\n  Count: unbounded splittable DoFn",
    );
    expect(server.prepared).to.deep.equal([]);
  });

  it("says that only Flink's REST API drains and writes savepoints", async () => {
    const result = await portableRunner({ jobEndpoint: server.endpoint }).run(graph);
    for (const [call, what] of [
      [result.drain(), "drain it"],
      [result.savepoint("/s"), "write a savepoint of it"],
    ] as const) {
      expect((await rejected(call)).message).to.equal(
        `job "job-1": Beam's job service cannot ${what}; Flink's REST API can (option flinkRest), no other server`,
      );
    }
  });

  it("says before it submits that no worker pool of this machine answers", async () => {
    const runner = portableRunner({
      jobEndpoint: server.endpoint,
      environment: "external",
      workerEndpoint: "127.0.0.1:1",
    });
    expect((await rejected(runner.run(graph))).message).to.match(/^no worker pool answers at 127.0.0.1:1 /);
    expect(server.prepared).to.deep.equal([]);
  });

  it("tells the pool of a job that was cancelled to stop its workers", async () => {
    server.states = [JobState_Enum.RUNNING];
    server.staysOpen = true;
    await using pool = await OneWorkerPool.start();
    const runner = portableRunner({
      ...{ jobEndpoint: server.endpoint, environment: "external", workerEndpoint: pool.endpoint },
    });
    const result = await runner.runAsync(graph);
    pool.job = jobIn(server);
    await startWorker(pool.endpoint);
    expect(await result.cancel()).to.equal(JobState_Enum.CANCELLED);
    expect(pool.stopped).to.deep.equal([pool.job]);
    expect(pool.job).to.match(/^[0-9a-f-]{36}$/);
  });

  it("ends workers that the server was to keep from stage to stage when the job is DONE", async () => {
    server.options = { spark_master: "STRING", environment_cache_millis: "INTEGER" };
    server.states = [JobState_Enum.RUNNING];
    server.staysOpen = true;
    await using pool = await OneWorkerPool.start();
    const runner = portableRunner({
      ...{ jobEndpoint: server.endpoint, environment: "external", workerEndpoint: pool.endpoint },
      pipelineOptions: { environmentCacheMillis: 60_000 },
    });
    const result = await runner.runAsync(graph);
    pool.job = jobIn(server);
    await startWorker(pool.endpoint);
    expect(pool.stopped).to.deep.equal([]);
    server.tell(JobState_Enum.DONE);
    expect(await result.waitUntilFinish()).to.equal(JobState_Enum.DONE);
    expect(pool.stopped).to.deep.equal([pool.job]);
  });

  describe("after a run that is over", () => {
    const earlier = { runId: "00000000-0000-4000-8000-000000000001", jobName: "shop-00000000" };
    const runOption = (runId: string) => ({
      "beam:option:millrace_run:v1": JSON.stringify({ pipeline: "shop", runId, mode: "available-now" }),
      "beam:option:millrace_job:v1": `job of ${runId}`,
    });

    it("cancels what that one has left on the server, and nothing else, before it submits", async () => {
      server.left = [
        { jobId: "ended", state: JobState_Enum.DONE, options: runOption(earlier.runId) },
        { jobId: "left", state: JobState_Enum.RUNNING, options: runOption(earlier.runId) },
        { jobId: "another run's", state: JobState_Enum.RUNNING, options: runOption("someone-else") },
        { jobId: "somebody's", state: JobState_Enum.RUNNING, options: {} },
        {
          ...{ jobId: "of a later version", state: JobState_Enum.RUNNING },
          options: { "beam:option:millrace_run:v1": "{}" },
        },
      ];
      await using pool = await OneWorkerPool.start();
      pool.job = `job of ${earlier.runId}`;
      await startWorker(pool.endpoint);
      const lines: string[] = [];
      await portableRunner({
        ...{ jobEndpoint: server.endpoint, environment: "external", workerEndpoint: pool.endpoint },
        log: listLog(lines),
        after: earlier,
      }).run(graph);
      expect(server.cancelled).to.deep.equal([{ jobId: "left", preparedBefore: 0 }]);
      expect(pool.stopped).to.deep.equal([pool.job]);
      expect(lines.filter((line) => line.includes("left"))).to.deep.equal([
        'warn cancelling job "left", left on the job server by an earlier run',
      ]);
    });

    it("submits to a server that tells no jobs", async () => {
      server.tellsJobs = false;
      await portableRunner({ jobEndpoint: server.endpoint, after: earlier }).run(graph);
      expect(server.prepared).to.have.lengthOf(1);
    });
  });
});

function jobIn(server: FakeJobService): string {
  return server.optionsOf(server.prepared[0]!)["beam:option:millrace_job:v1"] as string;
}

/** A pool whose only worker does nothing until it is stopped. */
class OneWorkerPool implements AsyncDisposable {
  /** What its worker says that it is of. */
  job: string | undefined;
  /** Jobs of the workers that were stopped. */
  readonly stopped: (string | undefined)[] = [];
  #pool: WorkerPool | undefined;

  static async start(): Promise<OneWorkerPool> {
    const self = new OneWorkerPool();
    self.#pool = await serveWorkerPool({
      ...{ host: "127.0.0.1", port: 0, workersMax: 1, fullMessage: "full", log: listLog([]) },
      start: () => self.#start(),
    });
    return self;
  }

  get endpoint(): string {
    return this.#pool!.endpoint;
  }

  #start(): RunningWorker {
    const self = this;
    let end: (value: WorkerEnd) => void = () => undefined;
    const whenEnded = new Promise<WorkerEnd>((resolve) => {
      end = resolve;
    });
    return {
      get job() {
        return self.job;
      },
      whenEnded,
      stop: () => {
        self.stopped.push(self.job);
        end({ exitCode: 0, problem: undefined });
        return whenEnded;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool!.stop();
  }
}

/** As a job server does. */
function startWorker(endpoint: string): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = beamFnExternalWorkerPoolDefinition.startWorker;
  const client = new Client(endpoint, credentials.createInsecure());
  const request = StartWorkerRequest.create({ workerId: "1-1", controlEndpoint: { url: "localhost:1" } });
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize as never, responseDeserialize, request, (error) => {
      client.close();
      if (error === null) resolve();
      else reject(error);
    });
  });
}
