/** The Job API client against a job service in this process, over real gRPC. */
import { expect } from "chai";
import { JobFailedError } from "../../../runners/portable/job-failure.js";
import { JobServerError } from "../../../runners/portable/job-service.js";
import { portableRunner } from "../../../runners/portable/portable-runner.js";
import { impulse, JobState_Enum, P, type Root, withName } from "../../../transforms/primitives/beam.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { FAN_OUT } from "../../portable/torture-fns.js";
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
});
